"""A frozen dataset as others read it: JSON lines in several formats, and Parquet with a card."""

from datasets_app.exports.directory import write_directory, write_zip
from datasets_app.exports.formats import EXPORTS, PARQUET, TITLES, check_format, exported

__all__ = ["EXPORTS", "PARQUET", "TITLES", "check_format", "exported", "write_directory", "write_zip"]
