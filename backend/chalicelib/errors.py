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


class UnreadableImage(UnmaskError):
    """The bytes claim a format that we open, but no honest picture comes out of them."""

    status = 422
    code = "unreadable_image"


class ModelUnavailable(UnmaskError):
    """A model file is missing or damaged."""

    status = 500
    code = "model_unavailable"


class StoreUnavailable(UnmaskError):
    """The store does not answer."""

    status = 503
    code = "store_unavailable"


class SettingsError(Exception):
    """A setting has a wrong value; stops the start with a sentence."""
