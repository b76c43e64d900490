"""Every secret that servers handed out to this run, so that the log of each server can be searched for them when it ends."""

import base64
import re

WINDOW = 20
STEP = 10
NAMES = {"SecretAccessKey", "SessionToken", "authorizationToken", "token", "access_token", "Secret"}
# What secrets are made of; runs of it in a log that are shorter hold no more than a part of one that says nothing.
WORD = re.compile(rb"[A-Za-z0-9+/=_-]{%d,}" % WINDOW)
runs = set()


def note(secret):
    """Notes a secret, as it is and as Basic authentication could carry it."""
    for text in [secret.encode(), *_encoded(secret)]:
        runs.update(text[at : at + WINDOW] for at in range(0, len(text) - WINDOW + 1, STEP))


def note_answer(answer):
    """Notes what an answer of an API hands out."""
    if isinstance(answer, dict):
        for name, value in answer.items():
            if name in NAMES and isinstance(value, str):
                note(value)
            else:
                note_answer(value)
    elif isinstance(answer, list):
        for item in answer:
            note_answer(item)


def found_in(text):
    """The first part of a secret that a log holds."""
    for word in WORD.finditer(text):
        held = word[0]
        for at in range(len(held) - WINDOW + 1):
            if held[at : at + WINDOW] in runs:
                return held[at : at + WINDOW]
    return None


def _encoded(secret):
    for pad in ["", "A", "AA"]:
        whole = base64.b64encode((pad + secret).encode())
        if len(whole) > WINDOW + 8:
            yield whole[4:-4]
