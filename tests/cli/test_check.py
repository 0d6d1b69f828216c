"""``check``: the judge's verdicts, in kind words."""

from __future__ import annotations


def words(text: str) -> str:
    return " ".join(text.split())


def test_a_good_entry_is_ready_and_learns_what_costs_most(cli, samples):
    result = cli("check", samples / "digits/pruned-onnx")
    assert result.exit_code == 0
    told = words(result.stdout)
    assert "passed quality 488 of 500 correct, 13 images above" in told
    assert "this entry is ready to be handed in." in told
    assert "Storage 746.875 words / 9,930 = 0.075214" in told
    assert "In the quantized regime the score would be" in told
    charges = told.partition("What to compress next: the largest charges")[2].partition("Left on the table")[0]
    assert charges.count("% of the score:") == 3
    assert "• 38.6 % of the score: body.weight, 864 × 16 bit = 432 words [S5]" in charges
    assert "The quality is 13 images above the target: the model may be compressed further." in told
    assert "error" not in told


def test_a_failure_stands_first_and_what_was_not_reached_is_one_line(cli, samples):
    result = cli("check", samples / "broken/truncated-onnx")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    first = next(line for line in lines[2:] if line)
    assert first.startswith("failed   artifact")
    assert "not reached: the translate stage failed" in result.stdout
    assert len(lines) < 25
    assert "1 check passed and 1 did not. Correct what is named at the top, then check again." in words(result.stdout)
    assert "What the score is made of" not in result.stdout


def test_every_problem_of_a_manifest_is_told(cli, samples):
    told = words(cli("check", samples / "broken/bad-manifest", columns=140).stdout)
    assert told.count("[submission.yaml:") == 8
    assert "more problems" not in told


def test_a_bench_at_fault_is_no_fault_of_the_entrant(cli, entry, without):
    without("tensorflow")
    folder = entry("digits/dense-onnx", framework="tensorflow", model="model.onnx")
    result = cli("check", folder)
    assert result.exit_code == 3
    told = words(result.stdout)
    assert "This is not your entry's fault: the judge could not finish." in told
    assert "pip install 'micronet-verify-tensorflow[tensorflow]'" in told


def test_a_title_can_neither_mark_up_nor_forge_lines(cli, entry):
    result = cli("check", entry("digits/dense-onnx", title='"[red]Best[/red] [link=http://x]entry[/link] :smile:"'))
    assert result.stdout.splitlines()[0] == "[red]Best[/red] [link=http://x]entry[/link] :smile: (dense-onnx)"


def test_verdicts_are_those_of_a_run(cli, samples):
    from micronet_verify.checks.judge import CHECKS

    told = cli("check", samples / "digits/dense-onnx").stdout
    listed = {name for name in CHECKS if any(line.startswith(f"passed  {name} ") for line in told.splitlines())}
    assert {"manifest", "artifact", "sealing", "operators", "quality", "score", "rule S5", "rule O1"} <= listed
