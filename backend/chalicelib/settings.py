"""Every limit and switch in one typed object, read once at start from `UNMASK_*` variables."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from chalicelib.errors import SettingsError

T = TypeVar("T")

MODELS = Path(__file__).parent / "models"
# A person does not wait longer, seconds.
LONGEST_FETCH = 600
# A host as it stands in a URL: a name, a v4 address, or a v6 address in brackets.
HOST = re.compile(r"[\w.-]+|\[[0-9A-Fa-f:.]+\]")

# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
CRON = re.compile(r"cron\(\S+( \S+){5}\)|rate\(\d+ (minute|hour|day)s?\)")


def _setting(default: T, what: str, *, secret: bool = False) -> T:
    """Declare a setting with its default and what it is, in words for a person; a secret one is never shown."""
    return field(default=default, metadata={"what": what, "secret": secret})


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one process; `UNMASK_MAX_BYTES=1000000` sets `max_bytes`, and so on.

    What a setting is stands in its declaration, from where `unmask settings` and the README take it; a comment above it
    says why it is so.
    """

    store_path: Path = _setting(  # noqa: RUF009 - declares a field
        Path(".unmask/checks.sqlite3"), "SQLite file that remembers checks; its folder is made when missing"
    )
    table: str = _setting("", "DynamoDB table that remembers checks and flags, instead of the file")
    models: Path = _setting(  # noqa: RUF009 - declares a field
        MODELS, "folder with the .tflite files and `model_card.json`"
    )
    # One Lambda vCPU is 1769 MB of memory.
    threads: int = _setting(1, "threads of each network")

    # API Gateway and Lambda leave about 4.5 MB of binary body and 6 MB of text; locally there is room.
    max_bytes: int = _setting(20_000_000, "largest encoded picture, or JSON that carries the frames of a clip, bytes")
    # Above what decoding takes; a Lambda process holds one body at a time anyhow.
    max_bytes_in_flight: int = _setting(
        100_000_000,
        "sum of the bodies above 1 MB that `unmask serve` holds at once, bytes; who comes on top is told to wait",
    )
    # What 600 MB of memory can decode, whatever the file claims.
    max_pixels: int = _setting(
        40_000_000,
        "largest decoded picture, px, judged by its header; half as large for WebP and AVIF, which take more memory",
    )
    # Below it no face can be judged.
    min_side: int = _setting(32, "least side, px")
    max_aspect: float = _setting(20.0, "longer side ÷ shorter side")
    # Its header alone can promise more than we will walk through.
    max_animation_pixels: int = _setting(400_000_000, "frames × area of an animation, px")
    max_frames: int = _setting(32, "frames of one clip that are looked at")
    # 32 frames of 1080p are 66 million.
    max_clip_pixels: int = _setting(100_000_000, "area of all frames of a clip together, px, where frames are sent")
    # What one request may carry on one machine; a bigger file goes by way of an upload.
    max_video_bytes: int = _setting(50_000_000, "largest video file in one request, bytes")
    # It lies on the disk, in Lambda in the 512 MB of /tmp.
    max_upload_bytes: int = _setting(500_000_000, "largest video file that is uploaded, bytes")
    # Its lifecycle, CORS and notification: see `chalicelib.buckets`.
    upload_bucket: str = _setting(
        "", "S3 bucket that takes uploads; without one, `unmask serve` takes them itself and Lambda takes none"
    )
    # Over 32 frames of a longer one no face can be followed.
    max_video_seconds: float = _setting(600.0, "longest video, s")
    # Those of 4K, 4096 × 2160, fit.
    max_video_pixels: int = _setting(9_000_000, "largest frame of a video, px")
    # An API gateway gives up after 29 s.
    video_patience: float = _setting(
        20.0, "time for one video, from its opening to its last frame, s; what was read by then is judged"
    )

    fetch_urls: bool = _setting(True, "whether pictures are fetched from addresses at all")
    fetch_seconds: float = _setting(
        10.0, "time for one fetch, from the first question to DNS to the last byte, all redirects included, s"
    )
    fetch_redirects: int = _setting(3, "redirects followed for one picture")
    # What a request calls us by is added to them.
    own_hosts: tuple[str, ...] = _setting(
        (), "names and addresses of this service as they stand in a URL, with commas between: never fetched from"
    )

    # The address of what was checked is kept then, which nobody asked for.
    flag_uncertain: bool = _setting(
        False, "whether a fetched picture whose verdict is `uncertain` is flagged for a re-check, with its address"
    )
    keep_days: int = _setting(30, "how long a flagged picture is kept, days, where whoever flags agrees to that")
    flag_bucket: str = _setting(
        "", "S3 bucket that keeps flagged pictures; without one, a folder beside the store does, and in Lambda none is"
    )
    # Checks cost processor time, and anybody may ask for them.
    checks_per_minute: int = _setting(60, "checks that one network address may ask Lambda for in a minute")
    access_key: str = _setting(
        "",
        "what every request to `unmask serve` must bring in `X-Api-Key`; without one, only this machine is served",
        secret=True,
    )
    # Of the user pool that infra/ makes; its id token is checked by API Gateway.
    sign_in_client: str = _setting("", "app client of the Cognito user pool in which people sign in")
    sign_in_url: str = _setting("", "address of Cognito's API, such as https://cognito-idp.eu-central-1.amazonaws.com/")

    # See `chalicelib.planner` and infra/README.md.
    rescore_cron: str = _setting(
        "cron(0 2 * * ? *)", "when re-scoring is planned in AWS, as EventBridge spells it, UTC"
    )
    rescore_bucket: str = _setting("", "S3 bucket for lists of what is re-scored, and reports")
    rescore_queue: str = _setting("", "AWS Batch queue that re-scores; without it, bucket and table nothing is planned")
    rescore_definition: str = _setting("unmask-rescore", "AWS Batch job definition of the container that re-scores")
    rescore_per_part: int = _setting(2000, "flags of one part of a job at least")

    # Crops come from the full picture.
    search_side: int = _setting(1280, "longer side at which faces are searched, px")
    max_faces: int = _setting(16, "faces judged in one picture, largest first")
    min_face: int = _setting(48, "a face whose box is smaller than this, px, is `uncertain`")

    def __post_init__(self) -> None:
        for name in (f.name for f in fields(self) if f.type == "int"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{_variable(name)} must be at least 1. Received: {getattr(self, name)}")
        for name in ("max_bytes", "max_video_bytes"):
            if self.max_bytes_in_flight < getattr(self, name):
                raise SettingsError(
                    f"UNMASK_MAX_BYTES_IN_FLIGHT must be at least {_variable(name)}. "
                    f"Received: {self.max_bytes_in_flight}"
                )
        if not 1 <= self.max_aspect < math.inf:
            raise SettingsError(f"UNMASK_MAX_ASPECT must be at least 1 and finite. Received: {self.max_aspect}")
        if not 0 < self.fetch_seconds <= LONGEST_FETCH:
            raise SettingsError(
                f"UNMASK_FETCH_SECONDS must be above 0, at most {LONGEST_FETCH}. Received: {self.fetch_seconds}"
            )
        for name in ("max_video_seconds", "video_patience"):
            if not 0 < getattr(self, name) < math.inf:
                raise SettingsError(f"{_variable(name)} must be above 0 and finite. Received: {getattr(self, name)}")
        if not CRON.fullmatch(self.rescore_cron):
            raise SettingsError(
                f"UNMASK_RESCORE_CRON must be cron(…) or rate(…), as EventBridge spells it. "
                f"Received: {self.rescore_cron!r}"
            )
        for host in self.own_hosts:
            if not HOST.fullmatch(host):
                raise SettingsError(f"UNMASK_OWN_HOSTS must hold hosts without scheme and port. Received: {host!r}")

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read the settings.

        Raises:
            SettingsError: a value has the wrong type or range, or an `UNMASK_*` name is unknown.
        """
        known = {_variable(f.name): f for f in fields(cls)}
        values: dict[str, object] = {}
        for variable, text in environ.items():
            if not variable.startswith("UNMASK_"):
                continue
            if variable not in known:
                raise SettingsError(f"{variable} is not a setting. Known: {', '.join(sorted(known))}")
            parse, words = KINDS[str(known[variable].type)]
            try:
                values[known[variable].name] = parse(text)
            except ValueError as error:
                raise SettingsError(f"{variable} must be {words}. Received: {text!r}") from error
        return cls(**values)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Entry:
    """A setting as a person meets it.

    Attributes:
        variable: name in the environment.
        value: what holds now; of a secret that is set, only that it is.
        default: what holds where the environment says nothing.
        from_environment: whether the environment says something.
        what: what it is, in Markdown.
    """

    variable: str
    value: Any
    default: Any
    from_environment: bool
    what: str


def describe(environ: Mapping[str, str] = os.environ) -> list[Entry]:
    """Return every setting, in the order of the class.

    Raises:
        SettingsError: as `Settings.from_environment` does.
    """
    settings = Settings.from_environment(environ)
    return [
        Entry(_variable(f.name), _show(f, settings), f.default, _variable(f.name) in environ, f.metadata["what"])
        for f in fields(Settings)
    ]


def _show(declared: Field[Any], settings: Settings) -> Any:
    value = getattr(settings, declared.name)
    return "(set)" if value and declared.metadata["secret"] else value


def _variable(name: str) -> str:
    return f"UNMASK_{name.upper()}"


def _parse_switch(text: str) -> bool:
    if text.lower() not in SWITCHES:
        raise ValueError(text)
    return SWITCHES[text.lower()]


def _parse_list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


SWITCHES = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
# How a value of each type is read, and what it is called.
KINDS: dict[str, tuple[Callable[[str], object], str]] = {
    "bool": (_parse_switch, "on or off"),
    "int": (int, "a whole number"),
    "float": (float, "a number"),
    "str": (str, "a text"),
    "Path": (Path, "a path"),
    "tuple[str, ...]": (_parse_list, "a list with commas"),
}
