"""What is searched for: the fields of a request, and the same in SQL."""

CAMPAIGN, CODE = "campaign_id = 101", "calling_code = 44"
REASON, PURPOSE = "reason = 'Litigator'", "purpose = 'TELEMKT'"
DAY = "inserted_at >= '2024-06-01Z' AND inserted_at < '2024-06-02Z'"
SECOND = (
    "inserted_at >= '2024-06-01 12:00:00Z' AND inserted_at < '2024-06-01 12:00:01Z'"
)

FILTERS: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "none": ({}, ()),
    "campaign": ({"campaign_id": "101"}, (CAMPAIGN,)),
    "phone_code 1": ({"phone_code": "1"}, ("calling_code = 1",)),
    "phone_code 44": ({"phone_code": "44"}, (CODE,)),
    "reason": ({"reason": "Litigator"}, (REASON,)),
    "reason blank": ({"reason": "-BLANK-"}, ("reason IS NULL",)),
    "reason not blank": ({"reason": "-NOTBLANK-"}, ("reason IS NOT NULL",)),
    "purpose": ({"purpose": "TELEMKT"}, (PURPOSE,)),
    "purpose blank": ({"purpose": "-BLANK-"}, ("purpose IS NULL",)),
    "purpose not blank": ({"purpose": "-NOTBLANK-"}, ("purpose IS NOT NULL",)),
    "day": ({"insert_date": "2024-06-01"}, (DAY,)),
    "second": ({"insert_date": "2024-06-01 12:00:00"}, (SECOND,)),
    "campaign, reason": (
        {"campaign_id": "101", "reason": "Litigator"},
        (CAMPAIGN, REASON),
    ),
    "campaign, day": (
        {"campaign_id": "101", "insert_date": "2024-06-01"},
        (CAMPAIGN, DAY),
    ),
    "phone_code, reason not blank": (
        {"phone_code": "44", "reason": "-NOTBLANK-"},
        (CODE, "reason IS NOT NULL"),
    ),
    "phone_code, purpose": (
        {"phone_code": "44", "purpose": "TELEMKT"},
        (CODE, PURPOSE),
    ),
    "campaign, phone_code, reason, purpose blank": (
        {
            "campaign_id": "101",
            "phone_code": "44",
            "reason": "Litigator",
            "purpose": "-BLANK-",
        },
        (CAMPAIGN, CODE, REASON, "purpose IS NULL"),
    ),
}
