"""Selection of data by a judge's scores: the best share, count or all above a threshold, without near-duplicates.

From outside: `choose` and `read_scored_records`. It sees scored records and knows neither caches nor aggregators.
"""

from .choose import Choice, choose
from .near_duplicates import NearDuplicates
from .records import Record, read_scored_records

__all__ = ["Choice", "NearDuplicates", "Record", "choose", "read_scored_records"]
