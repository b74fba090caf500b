#!/bin/sh
# Builds the image that re-scores and pushes it to a stage's own repository.
#   push.sh STAGE TAG [EXTRA]      EXTRA: batch, or batch-gpu for machines with a GPU
set -eu
stage=$1 tag=$2 extra=${3:-batch}
image=$("${PYTHON:-python3}" -m infra.deploy --stage "$stage" --output ImageRepository):$tag
docker build --build-arg "EXTRA=$extra" -f infra/batch/Dockerfile -t "$image" .
aws ecr get-login-password | docker login --username AWS --password-stdin "${image%%/*}"
docker push "$image"
echo "Pushed. Tell the stack: make deploy STAGE=$stage SET=ImageTag=$tag"
