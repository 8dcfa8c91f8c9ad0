"""The version of the library, which every file it writes carries."""

VERSION = "0.1.0"
