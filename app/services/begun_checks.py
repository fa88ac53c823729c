"""Checks whose answers an event loop waits for."""

from collections.abc import Sequence

from app.domain import rules
from app.domain.errors import CampaignUnknown, DncError, ErasureKeyWrong
from app.domain.patience import NotAtOnce
from app.domain.rules import Question, Verdict
from app.store import checks


class Begun:
    """Questions on their way to the database."""

    def __init__(self, questions: Sequence[Question], begun: checks.Begun) -> None:
        """Receive what *begun* finds about *questions*."""
        self._questions = questions
        self._begun = begun
        self.fileno = begun.fileno
        self.give_up = begun.give_up
        self.close = begun.close

    def receive(self) -> list[Verdict | DncError] | None:
        """
        Return what ``check_all`` returns, or None while not all of it has come.

        Raises NotAtOnce: then ``check_all`` is to be asked, which can wait.
        """
        try:
            findings = self._begun.receive()
        except ErasureKeyWrong as failure:
            raise NotAtOnce from failure
        if findings is None:
            return None
        answers: list[Verdict | DncError] = []
        for question, finding in zip(self._questions, findings, strict=True):
            # Whatever ignores the list is put on record first.
            if not finding.checking_enabled:
                raise NotAtOnce
            try:
                answers.append(rules.judge(question, finding))
            except CampaignUnknown as failure:
                answers.append(failure)
        return answers
