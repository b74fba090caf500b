"""What goes to Lambda is small enough, the same each time, and runs as Lambda runs it: from the zip alone."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image as Pillow

from infra import package as program
from infra.archive import MOST_UNZIPPED, MOST_ZIPPED, TooHeavy, Weight, pack, require_fit, tabulate, weigh
from infra.ballast import drop, is_loadable
from infra.package import NotPackaged, build, is_current, join, require_complete, run_chalice
from tests.backend.clips import stripes, write_clip
from tests.infra.lambda_process import (
    SCHEDULED,
    HandlerFailed,
    InitFailed,
    LambdaProcess,
    can_seal,
    make_interpreter,
    make_request,
)

ROOT = Path(__file__).parents[2]
VARIABLES = json.loads((ROOT / "backend" / ".chalice" / "config.json").read_text())["environment_variables"]
CARD = json.loads((ROOT / "backend" / "chalicelib" / "models" / "model_card.json").read_text())
# Whoever comes first builds the package: half a minute, and what pip has to fetch.
pytestmark = pytest.mark.timeout(1200)
needs_runtime = pytest.mark.skipif(
    find_spec("awslambdaric") is None, reason='the client of Lambda\'s runtime is missing: pip install -e ".[dev]"'
)


@pytest.fixture(scope="module")
def task(packaged: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip, unpacked alone."""
    folder = tmp_path_factory.mktemp("task")
    with ZipFile(packaged / "deployment.zip") as zipped:
        zipped.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that has what Lambda's runtime has."""
    return make_interpreter(tmp_path_factory.mktemp("runtime") / "venv")


@pytest.fixture(scope="module")
def service(task: Path, python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LambdaProcess]:
    """The function behind the API, with the variables that it has in AWS."""
    temporary = tmp_path_factory.mktemp("service") / "tmp"
    temporary.mkdir()
    variables = {**VARIABLES, "POWERTOOLS_SERVICE_NAME": "unmask-dev"}
    with LambdaProcess(python, task, temporary, "app.app", variables, seal=can_seal()) as process:
        yield process


def ask(
    service: LambdaProcess, method: str, path: str, body: bytes | None = None, content_type: str | None = None
) -> tuple[int, Any]:
    """Ask as API Gateway does: bytes as base64, JSON as text."""
    encoded = body is not None and content_type != "application/json"
    text = None if body is None else base64.b64encode(body).decode() if encoded else body.decode()
    answer = service.invoke(make_request(method, path, text, content_type, encoded=encoded))
    return answer["statusCode"], json.loads(answer["body"])


def draw(kind: str) -> bytes:
    """Return a public-domain portrait as a file of a kind."""
    from skimage import data

    file = io.BytesIO()
    Pillow.fromarray(np.asarray(data.astronaut())).save(file, kind)
    return file.getvalue()


# What lies in it.


def test_the_package_passes_the_gates_and_its_record_tells_the_truth(packaged: Path) -> None:
    weight = weigh(packaged / "deployment.zip")
    require_fit(weight)
    record = json.loads((packaged / "record.json").read_text())
    assert (record["zipped"], record["unzipped"]) == (weight.zipped, weight.unzipped)
    assert weight.zipped == (packaged / "deployment.zip").stat().st_size
    wanted = [line for line in (ROOT / "backend" / "requirements.txt").read_text().splitlines() if line[0] != "#"]
    # Powertools brings two along.
    brought = {"jmespath", "typing-extensions"}
    assert record["versions"].keys() == {re.split("[<>=]", line)[0] for line in wanted} | brought


def test_nothing_is_in_it_that_the_runtime_brings_or_that_only_training_needs(task: Path) -> None:
    folders = {path.name for path in task.iterdir()}
    assert not folders & {"boto3", "botocore", "tensorflow", "keras", "mtcnn", "click", "tests", "bin"}
    assert sorted(path.name for path in (task / "chalice").glob("*.py")) == ["__init__.py", "app.py"]
    assert not list(task.rglob("*haarcascade*")) and not list(task.rglob("*.pyi"))


def test_licences_stay_and_so_do_the_names_of_versions(task: Path) -> None:
    for name in ("numpy", "opencv_python_headless", "pillow", "urllib3", "idna"):
        (folder,) = task.glob(f"{name}-*.dist-info")
        assert list(folder.rglob("LICEN[CS]E*")), name
    for folder in task.glob("*.dist-info"):
        assert (folder / "METADATA").is_file(), folder.name


def test_every_module_is_compiled_and_not_for_where_it_was_made(task: Path) -> None:
    for path in task.rglob("*.py"):
        compiled = path.parent / "__pycache__" / f"{path.stem}.{sys.implementation.cache_tag}.pyc"
        # An unchecked hash: bit 0 says that there is one, bit 1 that it is to be compared.
        assert struct.unpack_from("<I", compiled.read_bytes(), 4) == (1,), path
        assert b"/var/task/" in compiled.read_bytes() or not path.stat().st_size, path


def test_the_template_deploys_the_zip_beside_it(packaged: Path) -> None:
    resources = json.loads((packaged / "sam.json").read_text())["Resources"]
    functions = {
        name: resource["Properties"]
        for name, resource in resources.items()
        if resource["Type"] == "AWS::Serverless::Function"
    }
    told = {name: (each["Handler"], each["Timeout"], each["MemorySize"]) for name, each in functions.items()}
    assert (
        told.items()
        >= {
            "APIHandler": ("app.app", 29, 3008),
            "CheckUpload": ("app.check_arrival", 300, 3008),
            "PlanRescoring": ("app.plan_rescoring", 900, 1769),
        }.items()
    )
    for name in ("APIHandler", "CheckUpload", "PlanRescoring"):
        assert functions[name]["CodeUri"] == "./deployment.zip"
        assert functions[name]["Runtime"] == f"python{sys.version_info[0]}.{sys.version_info[1]}"
        assert functions[name]["Environment"]["Variables"].items() >= VARIABLES.items()


# How it runs.


@needs_runtime
def test_the_interpreter_has_nothing_of_ours(python: Path) -> None:
    tell = "from importlib.util import find_spec as f; print([n for n in ('numpy', 'cv2', 'PIL', 'chalice') if f(n)])"
    told = subprocess.run([python, "-I", "-c", tell], cwd="/", capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


@needs_runtime
@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "gif", "avif"])
def test_a_picture_is_judged(service: LambdaProcess, kind: str) -> None:
    status, check = ask(service, "POST", "/v2/checks/image", draw(kind), f"image/{kind}")
    assert status == 200
    assert check["verdict"] in {"likely_fake", "no_traces", "uncertain"} and len(check["faces"]) == 1
    assert f'"verdict":"{check["verdict"]}","service":"unmask-dev","Checks":[1.0]' in service.log
    assert (
        check["model"]["version"]
        == json.loads((ROOT / "backend/chalicelib/models/model_card.json").read_text())["version"]
    )


@needs_runtime
def test_a_clip_is_decoded_by_its_own_process(service: LambdaProcess, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", (stripes(number) for number in range(25)))
    status, check = ask(service, "POST", "/v2/checks/video", clip.read_bytes(), "video/mp4")
    assert (status, check["verdict"], check["media"]["kind"]) == (200, "no_face", "video")


@needs_runtime
@pytest.mark.parametrize(
    ("method", "path", "body", "content_type", "status", "code"),
    [
        ("POST", "/v2/flags", b'{"url": "https://example.com/a.jpg"}', "application/json", 404, "not_found"),
        ("POST", "/v2/uploads", b'{"bytes": 5}', "application/json", 404, "not_found"),
        ("POST", "/v2/checks/frames", b"{}", "application/json", 400, "bad_request"),
        ("POST", "/v2/checks/url", b'{"url": "http://127.0.0.1/a.jpg"}', "application/json", 400, "url_not_allowed"),
        ("POST", "/v2/checks/image", b"GIF89a", "image/jpeg", 422, "image_cut_off"),
        ("POST", "/v2/checks/image", b"%PDF-1.7", "application/pdf", 415, "unsupported_media"),
    ],
)
def test_what_cannot_be_is_answered_as_everywhere(
    service: LambdaProcess, method: str, path: str, body: bytes, content_type: str, status: int, code: str
) -> None:
    answered, told = ask(service, method, path, body, content_type)
    assert (answered, told["error"]["code"]) == (status, code)


@needs_runtime
def test_it_says_that_it_is_well_and_shows_the_page(service: LambdaProcess) -> None:
    status, health = ask(service, "GET", "/v2/health")
    assert (status, health["status"]) == (200, "ok")
    assert (health["flags"], health["video_bytes"], health["upload_bytes"]) == (False, 4_500_000, 0)
    page = service.invoke(make_request("GET", "/"))
    assert (page["statusCode"], page["headers"]["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert not page.get("isBase64Encoded") and "<html" in page["body"]


@needs_runtime
def test_the_planner_has_nothing_to_do_and_loads_no_model(task: Path, python: Path, tmp_path: Path) -> None:
    with LambdaProcess(python, task, tmp_path, "app.plan_rescoring", VARIABLES, seal=can_seal()) as process:
        assert process.invoke(SCHEDULED) is None
        assert "nothing is planned" in process.log
        assert "XNNPACK" not in process.log, "LiteRT says so when it opens a network"
        # Lambda gives it 1769.
        assert process.peak < 200


@needs_runtime
def test_uploads_are_checked_with_the_boto3_of_the_runtime(task: Path, python: Path, tmp_path: Path) -> None:
    arrived = {"Records": [{"eventSource": "aws:s3", "s3": {"object": {"key": f"uploads/{'0' * 32}/clip"}}}]}
    with LambdaProcess(python, task, tmp_path, "app.check_arrival", VARIABLES, seal=can_seal()) as process:
        assert process.invoke({"Records": []}) is None
        # No bucket is set.
        with pytest.raises(HandlerFailed, match="No uploads are taken here"):
            process.invoke(arrived)


@needs_runtime
def test_it_stays_under_500_mb_and_writes_below_tmp_only(task: Path, python: Path, tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    before = sorted(task.rglob("*"))
    with LambdaProcess(python, task, temporary, "app.app", VARIABLES, seal=can_seal()) as process:
        assert ask(process, "POST", "/v2/checks/image", draw("jpeg"), "image/jpeg")[0] == 200
        clip = write_clip(tmp_path / "clip.mp4", (stripes(number) for number in range(25)))
        assert ask(process, "POST", "/v2/checks/video", clip.read_bytes(), "video/mp4")[0] == 200
        assert process.peak < 500
    assert sorted(task.rglob("*")) == before
    assert {path.name.partition("-")[0] for path in temporary.iterdir()} == {"checks.sqlite3"}


@needs_runtime
def test_a_handler_that_is_not_there_is_told(task: Path, python: Path, tmp_path: Path) -> None:
    with (
        LambdaProcess(python, task, tmp_path, "app.nothing", VARIABLES) as process,
        pytest.raises(InitFailed, match="nothing"),
    ):
        process.invoke(SCHEDULED)


@needs_runtime
def test_an_event_that_is_none_fails_and_the_process_goes_on(service: LambdaProcess) -> None:
    with pytest.raises(HandlerFailed):
        service.invoke([])
    assert ask(service, "GET", "/v2/health")[0] == 200


# How it is made.


def lay_out(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def test_ballast_goes_and_the_rest_stays(tmp_path: Path) -> None:
    kept = {
        "numpy/linalg/_linalg.py",
        "numpy/_core/_multiarray_umath.cpython-311-x86_64-linux-gnu.so",
        "numpy-2.2.6.dist-info/LICENSE.txt",
        "numpy-2.2.6.dist-info/METADATA",
        "pillow-11.3.0.dist-info/licenses/LICENSE",
        "cv2/data/__init__.py",
        "cv2/LICENSE-3RD-PARTY.txt",
        "opencv_python_headless.libs/libpng16-ef62451c.so.16.44.0",
        "pillow.libs/libjpeg-6e67f610.so.62.4.0",
        "chalicelib/models/detector.tflite",
        "chalicelib/page/index.html",
    }
    gone = {
        "numpy/linalg/tests/test_linalg.py",
        "numpy/__init__.pyi",
        "numpy/f2py/src/fortranobject.c",
        "numpy/_core/_simd.cpython-311-x86_64-linux-gnu.so",
        "numpy-2.2.6.dist-info/RECORD",
        "cv2/data/haarcascade_eye.xml",
        "cv2/gapi/__init__.py",
        "pillow.libs/libfreetype-c9382fe8.so.6.20.2",
        "flatbuffers/table.py",
        "chalicelib/__pycache__/errors.cpython-311.pyc",
    }
    lay_out(tmp_path, dict.fromkeys(kept | gone, b""))
    drop(tmp_path)
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()} == kept
    assert not (tmp_path / "cv2" / "gapi").exists()


def test_equal_files_give_equal_bytes_in_any_order_and_at_any_time(tmp_path: Path) -> None:
    files = {"b.py": b"b = 2\n" * 100, "a/c.py": b"", "a/d.so.1": b"\x7fELF"}
    one = lay_out(tmp_path / "one", files)
    two = lay_out(tmp_path / "two", dict(reversed(files.items())))
    os.utime(two / "b.py", (1, 1))
    (two / "b.py").chmod(0o600)
    for folder in (one, two):
        pack(folder, folder.with_suffix(".zip"))
    assert one.with_suffix(".zip").read_bytes() == two.with_suffix(".zip").read_bytes()
    with ZipFile(one.with_suffix(".zip")) as zipped:
        assert zipped.namelist() == ["a/c.py", "a/d.so.1", "b.py"]
        assert [entry.external_attr >> 16 for entry in zipped.infolist()] == [0o100644, 0o100755, 0o100644]


@pytest.mark.parametrize(
    ("unzipped", "zipped", "sentence"),
    [
        (MOST_UNZIPPED, MOST_ZIPPED, None),
        (MOST_UNZIPPED + 100_000, 1, r"222\.1 MB unpacked, and may be 222\.0 MB.*Largest in it: cv2, numpy"),
        (1, MOST_ZIPPED + 100_000, r"76\.1 MB packed, and may be 76\.0 MB"),
    ],
)
def test_what_is_too_heavy_is_refused_with_a_sentence(unzipped: int, zipped: int, sentence: str | None) -> None:
    weight = Weight(zipped, unzipped, {"cv2": (2, 1), "numpy": (1, 1)})
    if sentence is None:
        require_fit(weight)
    else:
        with pytest.raises(TooHeavy, match=sentence):
            require_fit(weight)


def test_the_gates_are_below_what_lambda_takes() -> None:
    assert MOST_UNZIPPED < 262_144_000
    assert MOST_ZIPPED < MOST_UNZIPPED


def test_the_table_names_the_heaviest_first_and_adds_up(tmp_path: Path) -> None:
    lay_out(tmp_path / "tree", {"a/x": bytes(1_000_000), "b/x": bytes(3_000_000), "c": bytes(500_000)})
    pack(tmp_path / "tree", tmp_path / "zip")
    lines = tabulate(weigh(tmp_path / "zip"), rows=2).splitlines()
    assert [line.split(" | ")[:2] for line in lines[2:]] == [
        ["| b", "3.0"],
        ["| a", "1.0"],
        ["| the rest", "0.5"],
        ["| the zip", "4.5"],
    ]


@pytest.mark.parametrize(
    ("offset", "address", "loadable"), [(0x1000, 0x1000, True), (0x1D00, 0x2D00, True), (0x10, 0x1000, False)]
)
def test_a_library_that_strip_has_broken_is_recognised(
    tmp_path: Path, offset: int, address: int, loadable: bool
) -> None:
    header = bytearray(64)
    struct.pack_into("<Q", header, 32, 64)
    struct.pack_into("<HH", header, 54, 56, 2)
    # The first part is not loaded: where it lies is nobody's business.
    parts = struct.pack("<IIQQQQQQ", 4, 4, 3, 5, 5, 1, 1, 8) + struct.pack(
        "<IIQQQQQQ", 1, 4, offset, address, address, 1, 1, 0x1000
    )
    (tmp_path / "lib.so").write_bytes(bytes(header) + parts)
    assert is_loadable(tmp_path / "lib.so") == loadable


def test_templates_are_joined_and_may_not_disagree() -> None:
    one = {"Resources": {"A": {"Type": "T", "Properties": {"x": 1}}}}
    two = {"Resources": {"A": {"Properties": {"y": [2]}}, "B": {}}, "Parameters": {}}
    joined = join([one, two])
    assert joined == {
        "Resources": {"A": {"Type": "T", "Properties": {"x": 1, "y": [2]}}, "B": {}},
        "Parameters": {},
    }
    assert one == {"Resources": {"A": {"Type": "T", "Properties": {"x": 1}}}}, "as it was given"
    with pytest.raises(NotPackaged, match="disagree about x"):
        join([one, {"Resources": {"A": {"Properties": {"x": 2}}}}])


def test_what_chalice_leaves_out_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "Creating deployment package.\n\nCould not install dependencies:\nnumpy==2.4.6\n"
    monkeypatch.setenv("UNMASK_RESCORE_CRON", "cron(mine)")
    seen: dict[str, Any] = {}

    def fake(command: list[str], env: dict[str, str], **_: object) -> subprocess.CompletedProcess[str]:
        seen["variables"] = [name for name in env if name.startswith("UNMASK_")]
        seen["merge"] = json.loads(Path(command[command.index("--merge-template") + 1]).read_text())
        seen["files"] = {path.name for path in Path(command[command.index("--project-dir") + 1]).iterdir()}
        return subprocess.CompletedProcess(command, 0, said)

    monkeypatch.setattr(program.subprocess, "run", fake)
    (tmp_path / "extra.json").write_text('{"Resources": {}}')
    with pytest.raises(NotPackaged, match="numpy==2"):
        run_chalice("dev", [tmp_path / "extra.json"], tmp_path / "out")
    assert seen == {
        "variables": [],
        "merge": {"Resources": {}},
        "files": {"app.py", "chalicelib", "requirements.txt", ".chalice"},
    }
    wanted = "ai-edge-litert, aws-lambda-powertools, idna, numpy, opencv-python-headless, pillow, urllib3"
    with pytest.raises(NotPackaged, match=wanted):
        require_complete(tmp_path)


def test_chalice_fails_where_pip_finds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(NotPackaged, match="ai-edge-litert"):
        run_chalice("dev", [], tmp_path / "out")


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Chalice's package, as small as can be."""
    files = {
        f"{name}-1.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n".encode()
        for name in (
            *("ai_edge_litert", "aws_lambda_powertools", "idna", "numpy", "opencv_python_headless", "pillow"),
            "urllib3",
        )
    }
    lay_out(tmp_path / "small", {**files, "app.py": b"ALL = {'a', 'b', 'c'}\n", "numpy/tests/test_a.py": b"\n"})

    def fake(stage: str, merge: object, out: Path) -> None:
        out.mkdir()
        pack(tmp_path / "small", out / "deployment.zip")
        (out / "sam.json").write_text(json.dumps({"stage": stage, "Resources": {"APIHandler": {"Properties": {}}}}))

    monkeypatch.setattr(program, "run_chalice", fake)
    return tmp_path / "small"


def test_a_package_is_made_the_same_twice_and_known_again(small: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    record = build("dev", [], one)
    assert build("dev", [], two) == record
    assert (one / "deployment.zip").read_bytes() == (two / "deployment.zip").read_bytes()
    with ZipFile(one / "deployment.zip") as zipped:
        assert f"__pycache__/app.{sys.implementation.cache_tag}.pyc" in zipped.namelist()
        assert not [name for name in zipped.namelist() if "tests" in name]
    assert record["versions"]["opencv-python-headless"] == "1"
    assert is_current(one, "dev", [])
    assert not is_current(one, "prod", [])
    (tmp_path / "extra.json").write_text("{}")
    assert not is_current(one, "dev", [tmp_path / "extra.json"])
    (one / "deployment.zip").write_bytes(b"")
    assert not is_current(one, "dev", [])
    assert not is_current(tmp_path / "nowhere", "dev", [])


def test_what_does_not_pass_leaves_no_package_behind(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    build("dev", [], out)
    monkeypatch.setattr(program, "require_fit", lambda weight: require_fit(weight, most_zipped=9))
    monkeypatch.setattr(sys, "argv", ["package", "--stage", "prod", "--out", str(out)])
    with pytest.raises(SystemExit, match="MB packed, and may be"):
        program.main()
    assert list(out.iterdir()) == []
    assert "| the zip |" in capsys.readouterr().out
