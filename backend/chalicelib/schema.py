"""What the doors answer, as types; the API document is generated from them."""

from __future__ import annotations

import types
from dataclasses import dataclass
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    TypedDict,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

FaceVerdict = Literal["likely_fake", "no_traces", "uncertain"]
PictureVerdict = Literal["likely_fake", "no_traces", "uncertain", "no_face"]
Reason = Literal[
    "face_too_small",
    "face_too_blurred",
    "face_too_dark",
    "too_few_frames",
    "only_a_thumbnail",
    "clip_cut_short",
    "between_thresholds",
    "more_faces_than_checked",
]
Declares = Literal["machine_made", "edited", "camera"]
Strength = Literal["signed", "declared", "trace"]
SignalPlace = Literal["png", "exif", "xmp", "iptc", "photoshop", "comment", "c2pa"]
Found = Literal[
    "generator",
    "generator_settings",
    "generator_workflow",
    "digital_source_type",
    "editor",
    "camera",
    "manifest",
    "remote_manifest",
    "unreadable",
]
FlagState = Literal["waiting", "scored", "gone", "needs_review"]
FlagOrigin = Literal["person", "uncertain"]
PictureChange = Literal["same", "replaced", "gone", "unseen"]

# Level of this API, told by `GET /v2/health`. It grows when something is added or removed that a client must know of;
# `LEAST_API` and `NEWEST_API` in page/service.js say which levels the page and the extension understand.
API = 2


@dataclass(frozen=True, slots=True)
class Note:
    """What a bare type cannot say of a field; every value given becomes a JSON Schema keyword."""

    description: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    pattern: str | None = None
    format: str | None = None
    length: int | None = None

    def keywords(self) -> dict[str, Any]:
        """Return the JSON Schema keywords."""
        keywords: dict[str, Any] = {
            "description": self.description,
            "minimum": self.minimum,
            "maximum": self.maximum,
            "pattern": self.pattern,
            "format": self.format,
            "minItems": self.length,
            "maxItems": self.length,
        }
        return {name: value for name, value in keywords.items() if value is not None}


Probability = Annotated[float, Note("Calibrated probability that the face is fake.", minimum=0, maximum=1)]
Box = Annotated[list[float], Note("x, y, width, height in pixels of the upright picture or frame.", length=4)]
Milliseconds = Annotated[float, Note(minimum=0)]


class Evidence(TypedDict):
    """Areas of a face that raised or lowered its score; a hint where to look, not a proof."""

    grid: Annotated[
        list[list[float]],
        Note(
            "Rows of calibrated log-odds from the top left; above zero speaks for fake. "
            "Their mean is about the log-odds of `fake_probability`."
        ),
    ]
    box: Annotated[
        list[int],
        Note("x, y, width, height in pixels of the square that was judged and that the grid covers.", length=4),
    ]


class Face(TypedDict):
    """One face of a picture; of a clip, one track, seen where its score is highest."""

    box: Box
    detection_confidence: Annotated[float, Note("How sure the search is of a face.", minimum=0, maximum=1)]
    fake_probability: Probability
    verdict: FaceVerdict
    evidence: Evidence


class Point(TypedDict):
    """A track's face in one frame."""

    frame: Annotated[int, Note("Index of the frame, from 0.", minimum=0)]
    time: Annotated[float, Note("Of that frame, seconds: as sent, or from the first of the file.", minimum=0)]
    box: Box
    fake_probability: Probability
    verdict: FaceVerdict
    evidence: Evidence


class Track(TypedDict):
    """One face followed through the frames of a clip."""

    fake_probability: Annotated[
        float,
        Note(
            "Calibrated probability that the face is fake, from the mean over the frames in which it is large, sharp "
            "and bright enough.",
            minimum=0,
            maximum=1,
        ),
    ]
    verdict: FaceVerdict
    reasons: Annotated[list[Reason], Note("Why the verdict is not firmer.")]
    worst: Annotated[int, Note("Index into `points` of the highest score.", minimum=0)]
    best: Annotated[int, Note("Index into `points` of the lowest score.", minimum=0)]
    points: Annotated[list[Point], Note("By frame; one that the face was not found in has none.")]


class Coverage(TypedDict):
    """How much of a clip a verdict rests on."""

    frames: Annotated[int, Note("Frames sent, or taken from the file.", minimum=1)]
    usable: Annotated[int, Note("Frames that show a face large, sharp and bright enough to be judged.", minimum=0)]


class Media(TypedDict):
    """What was checked."""

    kind: Literal["image", "video"]
    sha256: Annotated[
        str,
        Note(
            "Of the bytes as sent. Of frames: of, for each in order, the 32 bytes of its own SHA-256 and its time as a "
            "big-endian double of 8 bytes. Of a GIF that was sent as a video: of the 32 bytes of its own SHA-256 and "
            "the word `clip`.",
            pattern="^[0-9a-f]{64}$",
        ),
    ]
    width: Annotated[int, Note("Pixels, upright; of the first frame.", minimum=1)]
    height: Annotated[int, Note("Pixels, upright; of the first frame.", minimum=1)]
    format: Annotated[
        str, Note("Lower case, from the bytes themselves, such as `jpeg`; `frames` where frames were sent.")
    ]
    frames: Annotated[
        int,
        Note(
            "Frames that the file holds, by its header; of an animated picture the first is judged. Or that were sent.",
            minimum=1,
        ),
    ]


class Signal(TypedDict):
    """What the file itself states of how it was made. Tags can be removed or forged, so none moves a figure."""

    found: Annotated[
        Found,
        Note(
            "What was found: a generator's name, settings or workflow, IPTC's DigitalSourceType, an editor's or a "
            "camera's name, a C2PA manifest in the file or elsewhere (not validated here), or metadata that cannot be "
            "read."
        ),
    ]
    where: Annotated[SignalPlace, Note("In which kind of metadata it stands.")]
    field: Annotated[str, Note("Its name there.")]
    value: Annotated[
        str, Note("What it says, cleaned and cut to 160 characters; of a remote manifest, the host. May be empty.")
    ]
    declares: Annotated[Declares | None, Note("What it says of the picture; null where it says none of these.")]
    strength: Annotated[
        Strength,
        Note(
            "`signed` carries a signature, which is not checked here; `declared` is a field made for such statements; "
            "`trace` was left behind by a program."
        ),
    ]


class Model(TypedDict):
    """The detector that judged."""

    name: str
    version: str


class Timing(TypedDict):
    """Milliseconds a step took when the media were first checked; over all frames."""

    decode: Milliseconds
    faces: Milliseconds
    detector: Milliseconds


class Check(TypedDict):
    """A checked picture or clip and its verdict."""

    id: Annotated[str, Note("Random; whoever holds it can read the check.", pattern="^[0-9a-f]{32}$")]
    verdict: Annotated[
        PictureVerdict,
        Note(
            "That of the worst face: likely_fake, then uncertain, then no_traces. The last says that this model found "
            "nothing that it knows, and not that the picture is genuine."
        ),
    ]
    fake_probability: Annotated[
        float | None,
        Note("Of the face that decided the verdict; null where there is no face.", minimum=0, maximum=1),
    ]
    reasons: Annotated[list[Reason], Note("Why the verdict is not firmer, or not about all faces.")]
    faces: Annotated[list[Face], Note("Largest first.")]
    tracks: NotRequired[Annotated[list[Track], Note("Of a clip only; in the order of `faces`.")]]
    coverage: NotRequired[Annotated[Coverage, Note("Of a clip only.")]]
    signals: Annotated[
        list[Signal],
        Note("What the file states of itself; it does not count in the verdict. Of a clip's frames none is read."),
    ]
    media: Media
    model: Model
    checked_at: Annotated[str, Note("UTC, of the first check of these bytes.", format="date-time")]
    cached: Annotated[bool, Note("The answer comes from the store; nothing was computed for it.")]
    timing_ms: Timing


class Frame(TypedDict):
    """One frame of a clip, as sent."""

    time: Annotated[float, Note("Seconds from any start; more than the frame before.", minimum=0)]
    image: Annotated[str, Note("The picture's file, such as a JPEG, in base64 without line breaks.")]


class Clip(TypedDict):
    """Frames taken from one video."""

    frames: Annotated[list[Frame], Note("1 to 32, where the service is not set otherwise; in order of time.")]


class ErrorDetail(TypedDict):
    """What went wrong."""

    code: Annotated[str, Note("Stable name, for programs.", pattern="^[a-z][a-z_]*$")]
    message: Annotated[str, Note("One sentence, for people.")]


class Size(TypedDict):
    """How large a video is that is to be uploaded."""

    bytes: Annotated[int, Note("Of the file, exactly.", minimum=1)]


class Destination(TypedDict):
    """Where a video is to be sent to, and how."""

    method: Literal["PUT"]
    url: Annotated[str, Note("Absolute, or relative to this service. The body is the file itself.")]
    headers: Annotated[dict[str, str], Note("To be sent along.")]


class Ticket(TypedDict):
    """A place for a video."""

    id: Annotated[str, Note("Random; under it the check is asked after.", pattern="^[0-9a-f]{32}$")]
    upload: Destination
    seconds: Annotated[int, Note("How long the place is kept.", minimum=1)]


class Upload(TypedDict):
    """An uploaded video and how far its check is."""

    id: Annotated[str, Note(pattern="^[0-9a-f]{32}$")]
    state: Annotated[
        Literal["waiting", "checking", "done", "failed"], Note("`waiting`: it has not arrived, or not been taken up.")
    ]
    progress: Annotated[float, Note("Part of the frames that were looked at.", minimum=0, maximum=1)]
    check: NotRequired[Annotated[Check, Note("Once it is `done`.")]]
    error: NotRequired[Annotated[ErrorDetail, Note("Where it has `failed`.")]]
    status: NotRequired[Annotated[int, Note("HTTP status that this failure has in one request.")]]


class Link(TypedDict):
    """Where a picture or video lies."""

    url: Annotated[str, Note("http or https, on port 80 or 443, without user name and password.", format="uri")]


class FlagRequest(TypedDict):
    """What is to be looked at again: a check, an address, or both."""

    check_id: NotRequired[Annotated[str, Note("Of the check that is doubted.", pattern="^[0-9a-f]{32}$")]]
    url: NotRequired[Annotated[str, Note("Where the picture or video lies; fetched in its turn.", format="uri")]]
    note: NotRequired[Annotated[str, Note("In your own words, at most 500 characters.")]]
    keep: NotRequired[
        Annotated[bool, Note("Whether the picture may be kept for the next look; else address and hash are.")]
    ]
    picture: NotRequired[
        Annotated[str, Note("The checked file itself, in base64 without line breaks; only with `check_id` and `keep`.")]
    ]


class Score(TypedDict):
    """What one model said of a flagged picture."""

    verdict: PictureVerdict
    fake_probability: Annotated[float | None, Note("Null where there is no face.", minimum=0, maximum=1)]
    model: Model
    sha256: Annotated[str, Note("Of the bytes that were scored.", pattern="^[0-9a-f]{64}$")]
    checked_at: Annotated[str, Note("UTC.", format="date-time")]
    signals: Annotated[int, Note("How many declared signals the file carried.", minimum=0)]


class Rescore(TypedDict):
    """What the latest look at a flagged picture found."""

    picture: Annotated[
        PictureChange,
        Note(
            "What lies at the address now, beside the picture that was flagged; `unseen` where there is no address, or "
            "it did not answer, and the picture that was kept was scored."
        ),
    ]
    score: Annotated[Score | None, Note("Of the heavy models; null where the picture was gone before they saw it.")]
    looks: Annotated[int, Note("Looks that found something out.", minimum=1)]
    at: Annotated[str, Note("UTC, of this look.", format="date-time")]


class Flag(TypedDict):
    """A picture that is looked at again, and what came of it."""

    id: Annotated[str, Note("Random.", pattern="^[0-9a-f]{32}$")]
    revision: Annotated[int, Note("Grows with every change.", minimum=1)]
    state: Annotated[
        FlagState,
        Note("`needs_review` waits for a person: three looks in a row failed, or there is nothing to look at."),
    ]
    origin: Annotated[FlagOrigin, Note("Who flagged: somebody, or the service because its verdict was uncertain.")]
    owner: Annotated[
        str | None,
        Note("Whose it is: the id of who signed in, `local` on one machine; null where the service itself flagged."),
    ]
    check_id: Annotated[str | None, Note("Of the check that was doubted; it may be gone.")]
    url: Annotated[str | None, Note("Where the picture lies.")]
    sha256: Annotated[str | None, Note("Of the picture that was flagged; null until it was first fetched.")]
    note: str
    before: Annotated[Score | None, Note("What the check said.")]
    after: Annotated[Rescore | None, Note("What the latest look found; null before the first.")]
    failures: Annotated[int, Note("Looks in a row that failed.", minimum=0)]
    error: Annotated[ErrorDetail | None, Note("Why the latest look failed.")]
    created_at: Annotated[str, Note("UTC.", format="date-time")]
    due_at: Annotated[str | None, Note("UTC, of the next look; null where there will be none.")]
    kept_until: Annotated[str | None, Note("UTC, until when the picture is kept; null where it is not.")]
    expires_at: Annotated[str, Note("UTC, when the flag is forgotten.", format="date-time")]


class FlagPage(TypedDict):
    """Some flags, newest first."""

    flags: list[Flag]
    cursor: Annotated[str | None, Note("Send it back for the next page; null at the end.")]


class Nights(TypedDict):
    """Nights of re-scoring."""

    reports: Annotated[list[str], Note("Their names, latest first.")]


class Generator(TypedDict):
    """How a model does on the fakes of one generator, on held-out data."""

    name: str
    seen: Annotated[bool, Note("Whether the model was trained on fakes of it.")]
    fakes: Annotated[int, Note("How many were tried.", minimum=0)]
    auc: Annotated[float, Note("Area under the ROC curve, against real pictures.", minimum=0, maximum=1)]
    called_fake: Annotated[float, Note("Share that is `likely_fake`.", minimum=0, maximum=1)]
    no_traces: Annotated[float, Note("Share that is `no_traces`: fakes that were missed.", minimum=0, maximum=1)]


class Metrics(TypedDict, total=False):
    """Figures measured on held-out data; each release may add some. The positive class is fake."""

    generators: NotRequired[Annotated[list[Generator], Note("Known and never-seen generators.")]]


class Thresholds(TypedDict):
    """Probabilities between which a verdict is `uncertain`, ends included."""

    no_traces_below: Annotated[float, Note(minimum=0, maximum=1)]
    fake_above: Annotated[float, Note(minimum=0, maximum=1)]


class ModelCard(TypedDict):
    """What the detector is, what it covers and what it does not."""

    name: str
    version: str
    input_side: Annotated[int, Note("Side of the square face crop that it sees, pixels.", minimum=1)]
    covers: Annotated[list[str], Note("Kinds of forgery that it was trained and tested on.")]
    limits: Annotated[list[str], Note("Where it is known to fail.")]
    metrics: Metrics
    thresholds: Annotated[Thresholds, Note("For a still picture.")]
    frame_thresholds: Annotated[Thresholds, Note("For one frame of a clip, and for the first of an animation.")]
    video_thresholds: Annotated[Thresholds, Note("For a face throughout a clip.")]
    terms: Annotated[str, Note("Terms of use.")]


class SignIn(TypedDict):
    """An Amazon Cognito user pool; its id token goes into `Authorization`."""

    endpoint: Annotated[str, Note("Of Cognito's own API.", format="uri")]
    client_id: Annotated[str, Note("Of the app client, which has no secret.")]


class Health(TypedDict):
    """The service is able to check."""

    status: Literal["ok"]
    api: Annotated[int, Note("Level of this API; grows when something a client must know of is added or removed.")]
    model: Model
    flags: Annotated[bool, Note("Whether verdicts can be flagged for a re-check here.")]
    sign_in: Annotated[SignIn | None, Note("Where to sign in, for what belongs to somebody; null where nobody has to.")]
    video_bytes: Annotated[int, Note("Largest video in one request.", minimum=1)]
    upload_bytes: Annotated[int, Note("Largest video by way of an upload; 0 where there are none.", minimum=0)]


class Error(TypedDict):
    """The answer to every request that fails; never a verdict."""

    error: ErrorDetail


_SCALARS: dict[Any, dict[str, Any]] = {
    Any: {},
    None: {"type": "null"},
    types.NoneType: {"type": "null"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
}


def describe(kind: Any, components: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON Schema of a type; typed dictionaries go to `components` and are referred to.

    Args:
        kind: a type annotation built of the scalars, `list`, `dict[str, …]`, `Literal`, unions,
            `Annotated[…, Note]`, `NotRequired` and typed dictionaries.
        components: schemas by name; filled as types are met.

    Raises:
        TypeError: the annotation is of another kind.
    """
    if kind in _SCALARS:
        return dict(_SCALARS[kind])
    if is_typeddict(kind):
        _describe_fields(kind, components)
        return {"$ref": f"#/components/schemas/{kind.__name__}"}
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is NotRequired:
        return describe(arguments[0], components)
    if origin is Annotated:
        schema = describe(arguments[0], components)
        for note in arguments[1:]:
            schema |= note.keywords()
        return schema
    if origin is Literal:
        return {"type": "string", "enum": list(arguments)}
    if origin is list:
        return {"type": "array", "items": describe(arguments[0], components)}
    if origin is dict:
        return {"type": "object", "additionalProperties": describe(arguments[1], components)}
    if origin in (Union, types.UnionType):
        return {"anyOf": [describe(argument, components) for argument in arguments]}
    raise TypeError(f"No schema for this annotation. Received: {kind!r}")


def _describe_fields(kind: Any, components: dict[str, Any]) -> None:
    if kind.__name__ in components:
        return
    schema: dict[str, Any] = {"type": "object", "description": kind.__doc__}
    components[kind.__name__] = schema
    hints = get_type_hints(kind, include_extras=True)
    schema["properties"] = {name: describe(hint, components) for name, hint in hints.items()}
    # Python 3.11 counts them all as required where annotations are kept as text.
    schema["required"] = sorted(name for name, hint in hints.items() if get_origin(hint) is not NotRequired)
    # A dictionary that is not total names only what a client may rely on.
    schema["additionalProperties"] = not kind.__total__
