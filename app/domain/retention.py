"""How long the past is kept: never shorter than the law wants it."""

from dataclasses import dataclass

from app.domain.errors import SettingInvalid

# 47 CFR 64.1200(d)(6): "A do-not-call request must be honored for 5 years from the time
# the request is made." 16 CFR 310.5(a) wants the records of it as long.
MINIMUM_MONTHS = 60
RULE = (
    "47 CFR 64.1200(d)(6), by which a do-not-call request is honored for 5 years, "
    "and 16 CFR 310.5(a), by which its records are kept for 5 years"
)
LONGEST_MONTHS = 1200


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How much lost what was personal of it: past versions, and why operations were."""

    versions: int = 0
    operations: int = 0

    def __add__(self, other: "Forgotten") -> "Forgotten":
        """Return both together."""
        return Forgotten(
            self.versions + other.versions, self.operations + other.operations
        )


def require_months(months: int) -> int:
    """Return *months* if the past may be kept so long; raises SettingInvalid."""
    if months < MINIMUM_MONTHS:
        message = f"{months} months are less than the {MINIMUM_MONTHS} of {RULE}"
        raise SettingInvalid(message)
    if months > LONGEST_MONTHS:
        message = f"{months} months are more than {LONGEST_MONTHS}"
        raise SettingInvalid(message)
    return months
