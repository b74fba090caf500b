"""Opens what the settings name: a file or a table for records, a folder or a bucket for pictures."""

from __future__ import annotations

from chalicelib.flag_store import FlagStore
from chalicelib.pictures import FolderPictures, Pictures
from chalicelib.settings import Settings
from chalicelib.sqlite_flags import SqliteFlags
from chalicelib.store import SqliteStore, Store


def open_checks(settings: Settings) -> Store:
    """Open the store of checks; raises `StoreUnavailable`."""
    if settings.table:
        from chalicelib.dynamo_store import DynamoStore

        return DynamoStore(settings.table)
    return SqliteStore(settings.store_path)


def open_flags(settings: Settings) -> FlagStore:
    """Open the store of flags; raises `StoreUnavailable`."""
    if settings.table:
        from chalicelib.dynamo_flags import DynamoFlags

        return DynamoFlags(settings.table)
    return SqliteFlags(settings.store_path)


def open_pictures(settings: Settings) -> Pictures:
    """Open the place of kept pictures."""
    if settings.flag_bucket:
        from chalicelib.buckets import BucketPictures

        return BucketPictures(settings.flag_bucket, settings.keep_days)
    return FolderPictures(settings.store_path.parent / "flagged", settings.keep_days)
