"""Every clause of the standing policy as a story in plain sentences, on the real server, with a clock of its own."""

import re

import pytest

from harness.scenario import FOLDER, SENTENCES, Stage, play, steps

FILES = sorted(FOLDER.glob("*.txt"))
CLAUSES = [f"S{number}" for number in range(1, 24)]


def test_p24_every_clause_has_a_scenario_and_every_sentence_a_meaning():
    titles = [steps(path)[0] for path in FILES]
    assert [re.match(r"S\d+", title).group() for title in titles] == CLAUSES
    for path in FILES:
        for words in steps(path)[1]:
            assert sum(bool(pattern.fullmatch(words)) for pattern, _ in SENTENCES) == 1, f"{path.name}: {words}"


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
async def test_p24_scenario(server, api, path):
    stage = Stage(server, api)
    try:
        await play(stage, path)
    finally:
        await stage.end()
