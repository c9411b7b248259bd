"""Which prompts are to be made longer: those that are named, or all that were not yet."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from cosmosq import prompts, upsampling
from cosmosq.db import Ledger
from cosmosq.engines.upsampling import Preview, Request
from cosmosq.errors import InvalidInput
from cosmosq.models import Prompt
from cosmosq.prompts import PromptRecord
from cosmosq.wishes import Wish, inputs_of, upsampling_of


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is to be queued."""

    wishes: list[Wish]
    previews: list[tuple[PromptRecord, Preview]]
    """What the host will do for each prompt, once for all of its variants."""
    refused: list[str]
    """Why some prompts cannot be; empty where prompts were named, since then the first is an error."""


def upsamplings_for(
    ledger: Ledger, references: Sequence[str], requests: Sequence[Request], *, missing: bool = False
) -> Asked:
    """A wish a prompt and request.

    Args:
        requests: at least one; they differ in their variant alone.
        missing: beside those that are named, every prompt that was not upsampled yet.

    Raises:
        NotFound: no such prompt.
        InvalidInput: a named prompt cannot be upsampled.
    """
    asked = Asked(wishes=[], previews=[], refused=[])
    with ledger.read() as session:
        named = prompts.resolve_all(session, references)
        records = {record.id: record for record in named}
        if missing:
            have = set(session.scalars(select(Prompt.original_id).where(Prompt.original_id.is_not(None))))
            for record in prompts.resolve_all(session, None):
                if not record.upsampled and record.id not in have:
                    records.setdefault(record.id, record)
        inputs = {clip: inputs_of(session, clip) for clip in {record.clip for record in records.values()}}
        for number, record in enumerate(records.values()):
            try:
                found = upsampling.check(session, record, inputs[record.clip], requests[0])
            except InvalidInput as error:
                if number < len(named):
                    raise
                asked.refused.append(str(error))
                continue
            asked.previews.append((record, found))
            asked.wishes.extend(upsampling_of(record.id, inputs[record.clip], each) for each in requests)
    return asked
