"""One check, and how what AWS refuses becomes a line instead of an error."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from ops.data.aws_errors import code_and_message, denied_remedy, is_denied, sentence
from ops.preflight.finding import Finding, unknown
from ops.preflight.target import Target


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One question to AWS, small enough that a refused call leaves nothing else unanswered."""

    subject: str
    """The row of the table."""
    title: str
    """What is looked up, for the line of a check that AWS refused."""
    needs: str
    """The permissions, in IAM's notation. AWS's refusal may name another one, which is then printed instead."""
    find: Callable[[Target], Iterable[Finding]]

    def run(self, target: Target) -> list[Finding]:
        """What it finds. A call that AWS refused, or that got no answer, becomes a line of its own."""
        findings: list[Finding] = []
        try:
            for finding in self.find(target):
                findings.append(finding)  # noqa: PERF402 - what was found before an error is kept
        except ClientError as error:
            code, message = code_and_message(error)
            if is_denied(error):
                what = f"These credentials may not look up {self.title} ({code}), so it is not checked."
                remedy = denied_remedy(message, self.needs)
            else:
                what = f"AWS did not say anything about {self.title} ({code}: {message}), so it is not checked."
                remedy = "Run kennel preflight again, or look it up in AWS's console."
            findings.append(unknown(self.subject, what, remedy))
        except ResponseParserError as error:  # such as the page of a proxy
            what = f"The answer about {self.title} is not AWS's, so it is not checked."
            findings.append(unknown(self.subject, what, f"Check HTTPS_PROXY and AWS_ENDPOINT_URL. ({error})"))
        except BotoCoreError as error:
            what = f"There was no answer about {self.title}, so it is not checked."
            remedy = sentence(error, f"the look-up of {self.title}", needs=self.needs)
            findings.append(unknown(self.subject, what, remedy))
        return findings
