"""Everything that can go wrong in a check, each with its HTTP status and a stable code.

A message is one sentence for the person who asked; it never carries a path, a URL or a traceback.
"""


class UnmaskError(Exception):
    """Base of all errors that are answered to a caller.

    Attributes:
        status: HTTP status.
        code: stable snake_case name, the same in every door (HTTP, command line, extension).
    """

    status = 500
    code = "internal_error"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code

    def to_dict(self) -> dict[str, dict[str, str]]:
        """Return the body of the answer: `{"error": {"code", "message"}}`."""
        return {"error": {"code": self.code, "message": self.message}}


class BadRequest(UnmaskError):
    """The request itself is malformed."""

    status = 400
    code = "bad_request"


class UrlNotAllowed(UnmaskError):
    """That address is never fetched, and why is not told: the reason would map the network that we are in."""

    status = 400
    code = "url_not_allowed"

    def __init__(self) -> None:
        super().__init__("Pictures are not fetched from that address; save the picture and check its file instead.")


class FetchingOff(UnmaskError):
    """This service fetches nothing."""

    status = 403
    code = "fetching_off"


class SignInRequired(UnmaskError):
    """That belongs to somebody: who asks must have signed in."""

    status = 401
    code = "sign_in_required"

    def __init__(self) -> None:
        super().__init__("Sign in first: flags, and what is deleted, belong to whoever signed in.")


class OperatorsOnly(UnmaskError):
    """That is for the operators of this service, a group of its user pool."""

    status = 403
    code = "operators_only"

    def __init__(self) -> None:
        super().__init__("Only the operators of this service may read that.")


class NotAllowed(UnmaskError):
    """The key of this service is missing or wrong."""

    status = 403
    code = "not_allowed"

    def __init__(self) -> None:
        super().__init__("This service wants a key, and the one that came is none of its.")


class NotFound(UnmaskError):
    """Nothing is stored under that id."""

    status = 404
    code = "not_found"


class TooLarge(UnmaskError):
    """More bytes than we accept."""

    status = 413
    code = "too_large"


class UnsupportedMedia(UnmaskError):
    """The bytes are of no format that we open."""

    status = 415
    code = "unsupported_media"


class TooMany(UnmaskError):
    """More checks from one address than this service allows; `Retry-After` tells when there are some again."""

    status = 429
    code = "too_many"

    def __init__(self, seconds: int) -> None:
        super().__init__("Too many checks from your network address; try again in a minute.")
        self.seconds = seconds


class UnreadableImage(UnmaskError):
    """The bytes claim a format that we open, but no honest picture comes out of them."""

    status = 422
    code = "unreadable_image"


class UnreadableVideo(UnmaskError):
    """The bytes claim to be a clip, but no honest frames come out of them."""

    status = 422
    code = "unreadable_video"


class IncompleteBody(UnmaskError):
    """The file ended before it was whole."""

    status = 422
    code = "incomplete_body"


class ModelUnavailable(UnmaskError):
    """A model file is missing or damaged."""

    status = 500
    code = "model_unavailable"


class FetchFailed(UnmaskError):
    """The server at that address cannot be reached, or answers with something other than a file."""

    status = 502
    code = "fetch_failed"


class PictureGone(FetchFailed):
    """The server at that address says that there is nothing, or nothing any more."""


class FetchTimeout(FetchFailed):
    """The server at that address took too long."""

    status = 504
    code = "fetch_timeout"


class StoreUnavailable(UnmaskError):
    """The store does not answer."""

    status = 503
    code = "store_unavailable"


class SettingsError(Exception):
    """A setting has a wrong value; stops the start with a sentence."""
