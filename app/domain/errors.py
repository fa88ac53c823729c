"""
Every condition that dncd refuses or reports, in one list.

    DncError
    ├── Refused                     what was asked cannot be done as it was asked
    │   ├── NumberInvalid           ├── CallingCodeInvalid
    │   ├── CampaignUnknown         ├── PurposeInvalid
    │   ├── ReasonInvalid           ├── EntryUnknown (by id) ── EntryErased
    │   ├── NotSuppressed           ├── AlreadySuppressed ── EntryRepeated
    │   ├── LeadStatusMissing       ├── LeadStatusInvalid
    │   ├── LeadNameInvalid         ├── IdInvalid
    │   ├── EvidenceInvalid         ├── EvidenceMissing
    │   ├── OffsetInvalid           ├── LimitInvalid
    │   ├── DateInvalid             ├── RequestMalformed
    │   ├── ParameterInvalid ─ InstantInvalid
    │   ├── TooManyNumbers
    │   ├── ParameterMissing        ├── OperationUnknown
    │   ├── ReleaseReasonMissing    ├── IdempotencyKeyInUse
    │   ├── IdempotencyKeyInvalid   ├── IdempotencyKeyReused
    │   └── FileRefused             a file of numbers that cannot be read to its end
    │       ├── ColumnMissing       ├── TextNotUtf8
    │       ├── RowTooLong          ├── FileTooLarge
    │       └── FormatUnknown
    ├── AccessDenied
    │   ├── TokenInvalid            ├── LoginLocked
    │   └── Forbidden ──┬── EntryForeign
    │                   ├── NothingAllowed
    │                   ├── ReleasesCapped
    │                   └── ApprovalPending
    ├── TooManyRequests             sooner than it may be; says when it may
    ├── StoreUnavailable ──┬── OutcomeUnknown
    │                      ├── InstantUnsettled
    │                      ├── SchemaNotServed
    │                      ├── RecoveryUnconfirmed
    │                      ├── ErasureKeyWrong
    │                      └── Overloaded
    └── AdministrationRefused       what only the operator's commands can meet
        ├── OrganisationUnknown     ├── OrganisationExists
        ├── CampaignExists          ├── TokenUnknown
        ├── SettingInvalid          ├── KeyRefused
        ├── BackupRefused           └── AnchorContradicts

A dialect gives each of them its own code and text; none of them knows a status code.
"""

from app.domain.rates import Standing


class DncError(Exception):
    """Whatever dncd says instead of doing what it was asked."""


class Refused(DncError):
    """The request's content cannot be carried out; nothing was changed."""


class RequestMalformed(Refused):
    """The request cannot be read at all: broken JSON, too many parameters."""


class NumberInvalid(Refused):
    """Not a possible number of its calling code, or not readable without doubt."""


class CallingCodeInvalid(Refused):
    """Not a calling code that the ITU has assigned."""


class CampaignUnknown(Refused):
    """The organisation has no such campaign."""


class PurposeInvalid(Refused):
    """Missing where a list needs it, unknown to the organisation, or not text."""


class ReasonInvalid(Refused):
    """Not printable text of at most 255 characters."""


class EvidenceInvalid(Refused):
    """A piece of evidence is not printable text of at most 255 characters."""


class EvidenceMissing(Refused):
    """The organisation wants evidence with every entry, and some is not there."""


class EntryUnknown(Refused):
    """The organisation has no entry with that id."""


class EntryErased(EntryUnknown):
    """The entry blocks a number that was erased: it can be taken off, not changed."""


class NotSuppressed(Refused):
    """The number is not on the list that was named."""


class AlreadySuppressed(Refused):
    """The number is on that list already, under other details; it was left alone."""

    def __init__(self, entry_id: int) -> None:
        super().__init__("the number is on that list already")
        self.entry_id = entry_id


class EntryRepeated(AlreadySuppressed):
    """The very same entry is stored already: somebody asked twice."""


class LeadStatusMissing(Refused):
    """Leads were to be updated, and no status was named for them."""


class LeadStatusInvalid(Refused):
    """The organisation has no such lead status."""


class LeadNameInvalid(Refused):
    """A first or last name that is not printable text of at most 100 characters."""


class IdInvalid(Refused):
    """Not a whole number that could be an id."""


class OffsetInvalid(Refused):
    """Not a whole number from 0 to 100000."""


class LimitInvalid(Refused):
    """Not a whole number from 1 to 1000."""


class DateInvalid(Refused):
    """Neither ``YYYY-MM-DD`` nor ``YYYY-MM-DD hh:mm:ss``, or no day of the calendar."""


class ParameterInvalid(Refused):
    """A parameter has a value that it cannot have; the message says which."""


class InstantInvalid(ParameterInvalid):
    """No instant that has passed, or one without a zone; the message says which."""


class ParameterMissing(Refused):
    """A parameter without which nothing can be done is missing, or too short."""


class OperationUnknown(Refused):
    """The request asks for something that there is no name for here."""


class TooManyNumbers(Refused):
    """More numbers than one request may ask about."""


class ReleaseReasonMissing(Refused):
    """The organisation wants a reason with every release, and there is none."""


class FileRefused(Refused):
    """A file of numbers cannot be read to its end; the message says where and why."""


class ColumnMissing(FileRefused):
    """No column of the file holds telephone numbers, or not one that was named."""


class TextNotUtf8(FileRefused):
    """The file holds bytes that are no UTF-8 text."""


class RowTooLong(FileRefused):
    """A row is longer than any row of numbers can be."""


class FileTooLarge(FileRefused):
    """A compressed file holds far more than its size tells: a decompression bomb."""


class FormatUnknown(FileRefused):
    """Neither by name nor by content is this a file that dncd can read."""


class IdempotencyKeyInvalid(Refused):
    """Not a key: 1 to 255 visible ASCII characters, bare or as a quoted string."""


class IdempotencyKeyReused(Refused):
    """The key was used with another request, or by another token."""


class IdempotencyKeyInUse(Refused):
    """A request with that key is being carried out; nothing was done for this one."""


class RowsRejected(Refused):
    """Rows of the file cannot be taken, so nothing of it was stored."""


class AccessDenied(DncError):
    """Whoever asks may not."""


class TokenInvalid(AccessDenied):
    """No such token, or it has expired or was revoked."""


class LoginLocked(AccessDenied):
    """A user failed to log in too often from there; not even the secret helps now."""


class Forbidden(AccessDenied):
    """The token lacks the grant that this needs."""


class NothingAllowed(Forbidden):
    """The token has no grant that would be of any use here."""


class EntryForeign(Forbidden):
    """
    The entry with that id is another organisation's.

    A kind of Forbidden: no grant of this token leads there. A dialect that does not
    tell such an entry from none at all may say of both what it says of EntryUnknown.
    """


class ReleasesCapped(Forbidden):
    """The organisation has released as much within an hour as it may."""


class ApprovalPending(Forbidden):
    """The release is recorded, and waits for another token that asks for the same."""


class TooManyRequests(DncError):
    """Whoever asks has asked too often; where they stand says when they may again."""

    def __init__(self, standing: Standing) -> None:
        super().__init__("too many requests")
        self.standing = standing


class StoreUnavailable(DncError):
    """The database did not answer in time; nothing was said about any number."""


class OutcomeUnknown(StoreUnavailable):
    """The answer to COMMIT was lost: the change may or may not be stored."""


class InstantUnsettled(StoreUnavailable):
    """
    What was listed at that instant may yet change: a change from before has not ended.

    Nothing was said about any number; whoever asks again a little later learns it.
    """


class SchemaNotServed(StoreUnavailable):
    """The database is at a migration that this code does not serve."""


class RecoveryUnconfirmed(StoreUnavailable):
    """The database lacks operations that were anchored, and nobody has confirmed it."""


class ErasureKeyWrong(StoreUnavailable):
    """Numbers are kept under stand-ins that the key at hand did not make."""


class Overloaded(StoreUnavailable):
    """More is asked than can be answered in time; this was not begun."""


class AdministrationRefused(DncError):
    """An operator's command cannot be carried out; the message says why."""


class OrganisationUnknown(AdministrationRefused):
    """No organisation has that name."""


class OrganisationExists(AdministrationRefused):
    """Another organisation has that name already."""


class CampaignExists(AdministrationRefused):
    """The id or code would no longer tell one campaign from another."""


class TokenUnknown(AdministrationRefused):
    """The organisation has no such token."""


class SettingInvalid(AdministrationRefused):
    """A value that the operator gave cannot be used."""


class BackupRefused(AdministrationRefused):
    """A backup cannot be made, or not be restored; the message says why."""


class KeyRefused(AdministrationRefused):
    """The installation's key is missing, or another one than the database's."""


class AnchorContradicts(AdministrationRefused):
    """The database's chain of seals is not the one that was anchored."""
