"""The HTTP routes and nothing else; the only module that knows Chalice."""

from __future__ import annotations

import base64
import binascii
import functools
import json
import logging
import os
import re
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote, unquote

from chalice.app import Chalice, ChaliceUnhandledError, CognitoUserPoolAuthorizer, CORSConfig, Request, Response

import chalicelib
from chalicelib.checks import Checker
from chalicelib.compatibility import OLD_PREFIX, PREFIX, deprecation_headers, to_version_1
from chalicelib.errors import (
    BadRequest,
    FetchFailed,
    FetchingOff,
    FetchTimeout,
    IncompleteBody,
    ModelUnavailable,
    NotFound,
    OperatorsOnly,
    SignInRequired,
    StoreUnavailable,
    TooLarge,
    TooMany,
    UnmaskError,
    UnreadableImage,
    UnreadableVideo,
    UnsupportedMedia,
    UrlNotAllowed,
)
from chalicelib.fetching import MAX_REQUEST, read_request
from chalicelib.flag_desk import LONGEST_PAGE, FlagDesk
from chalicelib.flags import LOCAL, LONGEST_NOTE, LONGEST_URL
from chalicelib.frames import read_frames
from chalicelib.openapi import Operation, document
from chalicelib.planner import plan
from chalicelib.schema import (
    API,
    Check,
    Clip,
    Flag,
    FlagPage,
    FlagRequest,
    FlagState,
    Health,
    Link,
    ModelCard,
    Nights,
    Note,
    SignIn,
    Size,
    Ticket,
    Upload,
)
from chalicelib.settings import Settings
from chalicelib.sight import describe_answer, is_watched, tell, tell_request
from chalicelib.stores import open_flags, open_pictures
from chalicelib.times import now, spell_time
from chalicelib.uploads import LONGEST_REQUEST, FolderUploads, Uploads, check_upload, read_size
from chalicelib.videos import spool

if TYPE_CHECKING:
    from chalicelib.allowance import Allowance
    from chalicelib.buckets import BucketReports

# The header is a hint only: the bytes are sniffed, and what the header says is never sent back.
IMAGE_TYPES = (
    "image/jpeg",
    "image/png",
    "image/webp",
    "image/gif",
    "image/avif",
    "application/octet-stream",
)
VIDEO_TYPES = (
    "video/mp4",
    "video/quicktime",
    "video/webm",
    "video/x-matroska",
    "image/gif",
    "application/octet-stream",
)
PAGE = Path(chalicelib.__file__).parent / "page"
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webp": "image/webp",
}
PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "media-src blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-cache",
}
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
# Any page may ask: there are no cookies, and who has signed in is told by a header that no stranger's page has, so that
# it gains nothing by a visitor's browser. Stored checks lie behind random ids that nothing lists.
CORS = CORSConfig(
    allow_origin="*",
    allow_headers=["X-Api-Key"],
    expose_headers=["Deprecation", "Link", "Retry-After", "X-Request-Id"],
    max_age=86400,
)
_OPERATORS = (OperatorsOnly, NotFound, StoreUnavailable)
CHECK_ID = {"check_id": "^[0-9a-f]{32}$"}
FLAG_ID = {"flag_id": "^[0-9a-f]{32}$"}
# What a flag's body holds beside the picture; JSON may spell a character of the note as six, or twelve.
FLAG_WORDS = 12 * (LONGEST_NOTE + LONGEST_URL)
# In AWS, API Gateway lets nobody through to what is owned who has not signed in to the stage's user pool, which infra/
# makes; Chalice writes that down while it packages. Elsewhere nobody signs in.
PEOPLE = (
    CognitoUserPoolAuthorizer("people", provider_arns=[{"Fn::GetAtt": ["People", "Arn"]}])
    if "AWS_CHALICE_CLI_MODE" in os.environ
    else None
)
# The group of the pool whose members read what nights report, which is of all people's flags.
OPERATORS = "operators"
# What Chalice answers by itself, said in our words.
CHALICE_REFUSALS = {
    400: ("bad_request", "The request cannot be understood."),
    405: ("method_not_allowed", "This address does not take that method."),
    415: ("unsupported_media", "Send the body with one of these content types: {types}."),
}

app = Chalice(app_name="unmask", configure_logs=False)
# API Gateway hands over bytes only for the types listed here; Chalice's own list lacks WebP, AVIF and videos.
app.api.binary_types = list(dict.fromkeys([*IMAGE_TYPES, *VIDEO_TYPES]))

operations: dict[str, Operation] = {}
# Chalice keeps the current request on the app object, which the threads of a local server would share.
_request: ContextVar[Request] = ContextVar("request")
_loading = threading.Lock()
# Set by the first request of the process.
_warm = threading.Event()


def route(
    method: str,
    path: str,
    operation: Operation,
    takes: Sequence[str] = (),
    *,
    owned: bool = False,
    counted: bool = False,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a view together with what the API document says of it.

    What lies under `/v2/` is served under `/v1/` as well, by the same view and under the same conditions; `answer`
    turns what the view returns into the words of version 1.

    Args:
        method: of HTTP.
        path: with its parts that vary in braces.
        operation: what the document says.
        takes: content types; those of Chalice where empty.
        owned: whether it is for who signed in.
        counted: whether it counts towards what one network address may ask for.
    """
    if counted:
        operation = replace(operation, errors=(*operation.errors, TooMany))

    def register(view: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(view)
        def let_errors_through(**parts: str) -> Any:
            try:
                if counted:
                    spend_allowance()
                return view(**parts)
            except Exception as error:
                # Chalice turns any other class into its own answer before `answer` can see it.
                raise ChaliceUnhandledError from error

        operations[view.__name__] = operation
        authorizer = PEOPLE if owned else None
        for served in (path, path.replace(PREFIX, OLD_PREFIX, 1)) if path.startswith(PREFIX) else (path,):
            app.route(served, methods=[method], content_types=list(takes), cors=CORS, authorizer=authorizer)(
                let_errors_through
            )
        return view

    return register


@route(
    "POST",
    "/v2/checks/image",
    Operation(
        {200: Check},
        (BadRequest, TooLarge, UnsupportedMedia, UnreadableImage, ModelUnavailable, StoreUnavailable),
    ),
    takes=IMAGE_TYPES,
    counted=True,
)
def check_image() -> Check:
    """Check one picture.

    The body is the file itself. The answer is a verdict on every face and on the picture; the picture is
    not kept. The same bytes are answered from the store, with `cached` set.
    """
    return checker().check_image(_read_body(_request.get(), checker().settings.max_bytes))


@route(
    "POST",
    "/v2/checks/url",
    Operation(
        {200: Check},
        (
            BadRequest,
            UrlNotAllowed,
            FetchingOff,
            TooLarge,
            UnsupportedMedia,
            UnreadableImage,
            UnreadableVideo,
            IncompleteBody,
            ModelUnavailable,
            FetchFailed,
            StoreUnavailable,
            FetchTimeout,
        ),
        body=Link,
    ),
    takes=("application/json",),
    counted=True,
)
def check_url() -> Check:
    """Check the picture or video at an address.

    It is fetched once for each request, from the public internet only, and judged by its bytes: the answer is the same
    as for the file itself. Every address that is not fetched is refused in the same words. The address is not kept,
    except where this service flags uncertain verdicts for a re-check.
    """
    request = _request.get()
    url = read_request(_read_body(request, MAX_REQUEST))
    check = checker().check_url(url, [request.headers.get("host", "")])
    found = desk()
    if found is not None:
        found.doubt(check, url)
    return check


@route(
    "POST",
    "/v2/checks/frames",
    Operation(
        {200: Check},
        (BadRequest, TooLarge, UnsupportedMedia, UnreadableImage, ModelUnavailable, StoreUnavailable),
        body=Clip,
    ),
    takes=("application/json",),
    counted=True,
)
def check_frames() -> Check:
    """Check a clip by frames taken from it.

    Every face is followed through the frames. The answer is a verdict on each and on the clip, of the kind
    `video`, with the tracks beside the faces; the frames are not kept. A face that is large, sharp and bright enough
    in fewer than four frames is `uncertain`, with the reason `too_few_frames`. Equal frames at equal times are
    answered from the store, with `cached` set.
    """
    settings = checker().settings
    return checker().check_frames(read_frames(_read_body(_request.get(), settings.max_bytes), settings))


@route(
    "POST",
    "/v2/checks/video",
    Operation(
        {200: Check},
        (BadRequest, TooLarge, UnsupportedMedia, UnreadableVideo, ModelUnavailable, StoreUnavailable),
    ),
    takes=VIDEO_TYPES,
    counted=True,
)
def check_video() -> Check:
    """Check a video.

    The body is the file itself: MP4, MOV, WebM or GIF. Up to 32 frames are taken, evenly spread, and every face is
    followed through them; the answer is that of `/v2/checks/frames`. What could be read is judged: where the file ends
    early, or takes too long to decode, the reasons hold `clip_cut_short`; where it has one frame only,
    `only_a_thumbnail`. The video is not kept. The same bytes are answered from the store, with `cached` set.
    """
    with spool(_read_body(_request.get(), checker().settings.max_video_bytes)) as path:
        return checker().check_video(path)


@route("GET", "/v2/checks/{check_id}", Operation({200: Check}, (NotFound, StoreUnavailable), CHECK_ID))
def get_check(check_id: str) -> Check:
    """Read a check again."""
    return checker().get(check_id)


@route(
    "DELETE",
    "/v2/checks/{check_id}",
    Operation({204: None}, (SignInRequired, NotFound, StoreUnavailable), CHECK_ID),
    owned=True,
)
def delete_check(check_id: str) -> Response:
    """Forget a check. It is the answer to everybody who asks for the same bytes; the next one has it made anew."""
    find_person()
    checker().delete(check_id)
    return Response("", status_code=204)


@route(
    "POST",
    "/v2/uploads",
    Operation({200: Ticket}, (BadRequest, NotFound, TooLarge, StoreUnavailable), body=Size),
    takes=("application/json",),
    counted=True,
)
def reserve_upload() -> Ticket:
    """Make a place for a video that is too large for one request.

    Send the file to the address that is told, as the body of a PUT, then ask for `/v2/uploads/{upload_id}` until its
    state is `done` or `failed`. The video is deleted once it is checked.
    """
    body = _read_body(_request.get(), LONGEST_REQUEST)
    return _require_uploads().reserve(read_size(body, checker().settings.max_upload_bytes))


@route(
    "GET",
    "/v2/uploads/{upload_id}",
    Operation({200: Upload}, (NotFound, StoreUnavailable), {"upload_id": "^[0-9a-f]{32}$"}),
)
def get_upload(upload_id: str) -> Upload:
    """Tell how far the check of an uploaded video is; once it is done, the check itself."""
    return _require_uploads().read(upload_id)


@app.lambda_function(name="check_upload")
def check_arrival(event: dict[str, Any], context: Any) -> None:
    """Check the videos whose arrival in the bucket an S3 event tells."""
    from chalicelib.buckets import read_event

    for upload_id in read_event(event):
        check_upload(_require_uploads(), checker(), upload_id)


@route(
    "POST",
    "/v2/flags",
    Operation(
        {200: Flag},
        (
            BadRequest,
            UrlNotAllowed,
            SignInRequired,
            FetchingOff,
            NotFound,
            TooLarge,
            IncompleteBody,
            FetchFailed,
            StoreUnavailable,
            FetchTimeout,
        ),
        body=FlagRequest,
    ),
    takes=("application/json",),
    owned=True,
)
def flag_picture() -> Flag:
    """Flag a picture or video for a second look by the heavy models.

    It is looked at in one of the next batches, by its address, or by the picture itself where that may be kept. Ask for
    `/v2/flags/{flag_id}` to see what came of it. The flag and its picture are seen and deleted by who flagged alone.
    """
    request = _request.get()
    body = _read_body(request, checker().settings.max_bytes * 4 // 3 + FLAG_WORDS)
    return _require_desk().take(body, find_person(), [request.headers.get("host", "")])


@route(
    "GET",
    "/v2/flags",
    Operation(
        {200: FlagPage},
        (BadRequest, SignInRequired, NotFound, StoreUnavailable),
        query={
            "state": Annotated[FlagState, Note("Only flags in it.")],
            "limit": Annotated[int, Note("Flags of a page; 50 if not said.", minimum=1, maximum=LONGEST_PAGE)],
            "cursor": Annotated[str, Note("Of the page before.")],
        },
    ),
    owned=True,
)
def list_flags() -> FlagPage:
    """List your flags, newest first."""
    asked = _request.get().query_params or {}
    return _require_desk().browse(find_person(), asked.get("state"), asked.get("limit"), asked.get("cursor"))


@route("DELETE", "/v2/flags", Operation({204: None}, (SignInRequired, NotFound, StoreUnavailable)), owned=True)
def delete_flags() -> Response:
    """Forget all your flags and the pictures that were kept for them, as before an account is deleted."""
    _require_desk().forget_person(find_person())
    return Response("", status_code=204)


@route(
    "GET",
    "/v2/flags/{flag_id}",
    Operation({200: Flag}, (SignInRequired, NotFound, StoreUnavailable), FLAG_ID),
    owned=True,
)
def get_flag(flag_id: str) -> Flag:
    """Tell what came of a flag of yours."""
    return _require_desk().get(flag_id, find_person())


@route(
    "DELETE",
    "/v2/flags/{flag_id}",
    Operation({204: None}, (SignInRequired, NotFound, StoreUnavailable), FLAG_ID),
    owned=True,
)
def delete_flag(flag_id: str) -> Response:
    """Forget a flag of yours and the picture that was kept for it."""
    _require_desk().delete(flag_id, find_person())
    return Response("", status_code=204)


@route("GET", "/v2/reports", Operation({200: Nights}, (SignInRequired, *_OPERATORS)), owned=True)
def list_reports() -> Nights:
    """List the nights of re-scoring, for the operators of the service."""
    return {"reports": _require_reports().list()}


@route(
    "GET",
    "/v2/reports/{night}",
    Operation({200: dict[str, Any]}, (SignInRequired, *_OPERATORS), {"night": "^[0-9TZ]{16}-[0-9a-f]{8}$"}),
    owned=True,
)
def get_report(night: str) -> dict[str, Any]:
    """Read what a night has reported: verdicts that stayed and turned, what failed, which flags need a person."""
    return _require_reports().read(night)


def read_cron() -> str:
    """Return when re-scoring is planned: Chalice loads this file with the stage's environment to write it down."""
    settings = Settings.from_environment()
    return settings.rescore_cron


@app.schedule(read_cron(), name="plan_rescoring")
def plan_rescoring(event: Any) -> None:
    """List what is due and begin the job that re-scores it; see `planner.plan`."""
    settings = Settings.from_environment()
    if not (settings.table and settings.rescore_queue and settings.rescore_bucket):
        log(logging.WARNING, "nothing is planned: table, queue or bucket is not set")
        return
    from chalicelib.batch_jobs import BatchJobs
    from chalicelib.buckets import BucketShelf

    with closing(open_flags(settings)) as flags:
        planned = plan(
            flags,
            spell_time(now()),
            BucketShelf(settings.rescore_bucket),
            BatchJobs(settings.rescore_queue, settings.rescore_definition),
            settings.rescore_per_part,
        )
    log(
        logging.INFO,
        "planned",
        due=planned.due,
        waited=planned.waited,
        parts=planned.parts,
        manifest=planned.manifest,
        job=planned.job,
    )
    if is_watched():
        tell({"DueFlags": planned.due, "OldestDueSeconds": planned.waited})


@route("GET", "/v2/model", Operation({200: ModelCard}, (ModelUnavailable,)))
def get_model() -> ModelCard:
    """Tell what the detector is, what it covers and what it does not."""
    return checker().model_card()


@route("GET", "/v2/health", Operation({200: Health}, (ModelUnavailable, StoreUnavailable)))
def get_health() -> Health:
    """Tell whether pictures and videos can be checked."""
    settings = checker().settings
    return {
        "status": "ok",
        "api": API,
        "model": checker().model,
        "flags": desk() is not None,
        "sign_in": _find_sign_in(settings),
        "video_bytes": settings.max_video_bytes,
        "upload_bytes": settings.max_upload_bytes if uploads() else 0,
    }


@route("GET", "/v2/openapi.json", Operation({200: dict[str, Any]}))
def get_document() -> dict[str, Any]:
    """Describe this API."""
    routes = {path: methods for path, methods in app.routes.items() if not path.startswith(OLD_PREFIX)}
    return document(routes, operations)


@route("GET", "/", Operation({200: "text/html"}, (NotFound,)))
def get_page() -> Response:
    """Show the page on which pictures and videos can be checked."""
    return _page_file("index.html")


@route("GET", "/assets/{name}", Operation({200: "*/*"}, (NotFound,), {"name": r"^[A-Za-z0-9_.-]+$"}))
def get_asset(name: str) -> Response:
    """Serve a file that the page needs."""
    return _page_file(name)


@app.middleware("http")
def answer(request: Request | None, get_response: Callable[[Any], Response]) -> Response:
    """The one place where failures become answers; also logs each request, without what was sent."""
    started = time.perf_counter()
    request_id = getattr(request and request.lambda_context, "aws_request_id", "-")
    if request is not None:
        _request.set(request)
    try:
        response = get_response(request)
        if isinstance(response.body, dict) and response.body.keys() == {"Code", "Message"}:
            response = _reword(response, request, request_id)
    except ChaliceUnhandledError as wrapper:
        response = refuse(wrapper.__cause__, request_id)
    told = describe_answer(response.body)
    if request is not None and request.path.startswith(OLD_PREFIX):
        response.body = to_version_1(response.body)
        response.headers |= deprecation_headers(_find_path(request))
    response.headers = HEADERS | CORS.get_access_control_headers() | response.headers
    response.headers["X-Request-Id"] = request_id
    ms, cold = round((time.perf_counter() - started) * 1000), not _warm.is_set()
    log(
        logging.INFO,
        "request",
        request_id=request_id,
        route=f"{request.method} {request.path}" if request else None,
        status=response.status_code,
        ms=ms,
        cold=cold,
        **told,
    )
    _warm.set()
    if is_watched():
        tell_request(response.status_code, ms, cold, told)
    return response


def refuse(error: BaseException | None, request_id: str) -> Response:
    """Return the answer to a request that failed.

    An unexpected error is logged by class and frames: its message may quote what was sent.
    """
    if isinstance(error, UnmaskError):
        # That a stranger's server fails is no failure of ours.
        if error.status >= 500 and not isinstance(error, FetchFailed):
            log(logging.ERROR, error.code, request_id=request_id, message=error.message)
        headers = {"Content-Type": "application/json"}
        if isinstance(error, TooMany):
            headers["Retry-After"] = str(error.seconds)
        return Response(error.to_dict(), headers, error.status)
    frames = traceback.extract_tb(error.__traceback__) if error else []
    log(
        logging.ERROR,
        "unexpected",
        request_id=request_id,
        error=type(error).__name__,
        frames=[f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames],
    )
    return refuse(UnmaskError(f"Something went wrong on our side. Please quote {request_id} to report it."), request_id)


def log(level: int, event: str, **fields: Any) -> None:
    """Write one line of JSON."""
    app.log.log(level, "%s", json.dumps({"level": logging.getLevelName(level), "event": event, **fields}))


def checker() -> Checker:
    """Return the process's checker; loads the models at the first call.

    Not at import: Chalice imports this file while it packages, where there may be no models.
    """
    with _loading:
        return _load_checker()


@functools.cache
def _load_checker() -> Checker:
    return Checker.from_settings(Settings.from_environment())


@functools.cache
def uploads() -> Uploads | None:
    """Return where uploaded videos lie; None where none are taken."""
    settings = checker().settings
    if settings.upload_bucket:
        from chalicelib.buckets import BucketUploads

        return BucketUploads(settings.upload_bucket)
    # On one machine `server` takes them in; in Lambda nobody would.
    return None if _in_lambda() else FolderUploads(settings.store_path.parent / "uploads")


def _require_uploads() -> Uploads:
    found = uploads()
    if found is None:
        raise NotFound("No uploads are taken here.")
    return found


@functools.cache
def desk() -> FlagDesk | None:
    """Return where flags are taken; None where none are."""
    settings = checker().settings
    # A file in Lambda is gone with its process.
    if _in_lambda() and not settings.table:
        return None
    pictures = None if _in_lambda() and not settings.flag_bucket else open_pictures(settings)
    return FlagDesk(checker(), open_flags(settings), pictures)


@functools.cache
def allowance() -> Allowance | None:
    """Return what counts checks by network address; None where none are counted."""
    settings = checker().settings
    if not (_in_lambda() and settings.table):
        return None
    from chalicelib.allowance import Allowance

    return Allowance(settings.table, settings.checks_per_minute)


def spend_allowance() -> None:
    """Count a check of who asks; raises `TooMany`."""
    found = allowance()
    if found is not None:
        found.spend(str(_request.get().context.get("identity", {}).get("sourceIp", "")))


def find_person() -> str:
    """Return whose request this is: the user's id in the pool, as API Gateway found it in the token.

    Raises:
        SignInRequired: nobody's, which API Gateway lets pass only where it was set up in a wrong way.
    """
    if not _in_lambda():
        return LOCAL
    person = _read_claims().get("sub")
    if not isinstance(person, str) or not person:
        raise SignInRequired
    return person


def _read_claims() -> dict[str, Any]:
    return (_request.get().context.get("authorizer") or {}).get("claims") or {}


def _require_reports() -> BucketReports:
    find_person()
    # API Gateway tells several groups as one text.
    if OPERATORS not in re.split(r"[\[\], ]+", str(_read_claims().get("cognito:groups", ""))) and _in_lambda():
        raise OperatorsOnly
    bucket = checker().settings.rescore_bucket
    if not bucket:
        raise NotFound("No reports are kept here: on one machine `unmask rescore` writes them into a folder.")
    from chalicelib.buckets import BucketReports

    return BucketReports(bucket)


def _find_sign_in(settings: Settings) -> SignIn | None:
    if not (settings.sign_in_client and settings.sign_in_url):
        return None
    return {"endpoint": settings.sign_in_url, "client_id": settings.sign_in_client}


def _require_desk() -> FlagDesk:
    found = desk()
    if found is None:
        raise NotFound("No flags are taken here.")
    return found


def _in_lambda() -> bool:
    return "AWS_LAMBDA_FUNCTION_NAME" in os.environ


def _read_body(request: Request, limit: int) -> bytes:
    """Return the bytes that were sent.

    Chalice's own `raw_body` answers bad base64 with 500 and skips characters that are not in the alphabet.
    """
    event = request.to_original_event()
    body = event["body"] or b""
    if event.get("isBase64Encoded"):
        # Three bytes in four characters: refused before anything of that size is decoded.
        if len(body) * 3 // 4 > limit + 2:
            raise TooLarge(f"The body is larger than {limit / 1e6:g} MB.")
        try:
            return base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError) as error:
            raise BadRequest("The body is not valid base64.") from error
    return body if isinstance(body, bytes) else body.encode()


def _find_path(request: Request) -> str:
    """Return the path that was asked for, percent-encoded, with the stage of API Gateway where there is one."""
    return quote(unquote(str(request.context.get("path", request.path))), safe="/:@!$&'()*+,;=~")


def _page_file(name: str) -> Response:
    files = {path.name: path for path in PAGE.glob("*") if path.suffix in MEDIA_TYPES}
    if name not in files:
        raise NotFound("There is nothing at this address.")
    media_type = MEDIA_TYPES[files[name].suffix]
    data = files[name].read_bytes()
    binary = media_type in app.api.binary_types
    return Response(data if binary else data.decode(), {"Content-Type": media_type, **PAGE_HEADERS})


def _reword(response: Response, request: Request | None, request_id: str) -> Response:
    if request is None or response.status_code not in CHALICE_REFUSALS:
        return refuse(None, request_id)
    code, message = CHALICE_REFUSALS[response.status_code]
    if response.status_code == 415:
        message = message.format(types=", ".join(app.routes[request.path][request.method].content_types))
    headers = {**response.headers, "Content-Type": "application/json"}
    return Response({"error": {"code": code, "message": message}}, headers, response.status_code)


if not app.log.handlers:
    app.log.addHandler(logging.StreamHandler())
    app.log.setLevel(logging.INFO)
    app.log.propagate = False

# Which function of this file Lambda calls. The planner judges no picture, and has a sixth of the memory.
_judges = os.environ.get("_HANDLER") != "app.plan_rescoring"
if _in_lambda() and _judges and "AWS_CHALICE_CLI_MODE" not in os.environ:
    # Lambda starts a process with a whole CPU and no waiting client. What fails here is answered later.
    with suppress(UnmaskError):
        checker()
