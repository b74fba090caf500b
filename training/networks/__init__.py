"""Networks by name: the student that is served, the backbones of the source projects, ensembles of them."""
