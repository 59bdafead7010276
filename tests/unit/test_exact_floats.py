"""Each exact comparison of computed floats in a test has a comment that says why it is exact.

A sum in another order has other last bits, and the order depends on the processor's vector width and on the number of
threads. So a comparison without a tolerance passes on one machine and fails on the next, unless both sides are the same
computation or copies of it. The reason stands in a comment `# exact: ...` on the statement or above it.
"""

from pathlib import Path

import pytest

from tests.unit.exact_comparisons import exact

TESTS = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("path", sorted(TESTS.rglob("*.py")), ids=lambda path: str(path.relative_to(TESTS)))
def test_each_exact_comparison_of_floats_says_why_it_holds(path: Path) -> None:
    unmarked = [line for line, has_reason in exact(path.read_text()) if not has_reason]
    assert not unmarked, (
        f"{path.relative_to(TESTS.parent)} compares computed floats exactly in line {', '.join(map(str, unmarked))}. "
        "Give the comparison a tolerance with its reason, or say in a comment `# exact: ...` why both sides have the "
        "same bits on any processor and for any number of threads."
    )


FORMS = [
    "assert torch.equal(one, other)",
    "assert np.array_equal(one, other)",
    "same = torch.equal",
    "from torch import equal as same",
    "assert all(map(torch.equal, ones, others))",
    "np.testing.assert_array_equal(one, other)",
    "torch.testing.assert_close(one, other, rtol=0, atol=0)",
    "assert one == pytest.approx(other, abs=0)",
    "assert one.tolist() == other",
    "found = one.tolist()\nassert found == other",
    "assert one.tobytes() == other.tobytes()",
    "assert (one == other).all()",
    "assert torch.all(one == other)",
    "assert ours.accuracy == theirs.accuracy",
    "assert valid_loss == expected",
    "assert ended['x'] == 0.25",
    "assert work.difference(one, other) == 0",
    "assert {run.losses for run in runs} == {1}",
    "assert len({run.loss for run in runs}) == 1",
    "assert (one - other).abs().max() == 0",
    "assert np.abs(one - other).max() <= 0",
    "assert not np.abs(one - other).max() > 0",
    "assert 0 == torch.count_nonzero(one - other)",
    "assert (one != other).sum() == 0",
    "assert one.sum() == other.sum()",
    "assert torch.allclose(one, other, 0, 0)",
    "assert np.isclose(one, other, 0, 0).all()",
    "assert one == pytest.approx(other, 0, 0)",
    "assert all(x == y for x, y in zip(one.tolist(), other.tolist()))",
    "assert float(one) == float(other)",
    "assert fingerprint(one) == fingerprint(other)",
    "before = fingerprint(one)\nassert before == other",
    "prints.append(fingerprint(one))\nassert prints[0] == prints[1]",
    "assert sha256(one.numpy()) == sha256(other.numpy())",
    "assert first.metrics == second.metrics",
    "assert first.history == second.history",
    "assert predict(one) == predict(other)",
    "assert classifier.predict(one) == expected",
    "assert (one / 'model.onnx').read_bytes() == (other / 'model.onnx').read_bytes()",
    "assert sha256(weights.read_bytes()) == sha256(copy.read_bytes())",
]


@pytest.mark.parametrize("form", FORMS)
def test_it_is_found(form: str) -> None:
    assert [has_reason for _, has_reason in exact(form)] == [False]
    first, _, last = form.rpartition("\n")
    for reasoned in (
        f"{first}\n# exact: both are copies of one file\n{last}",
        f"{form}  # exact: both are copies of one file",
    ):
        assert [has_reason for _, has_reason in exact(reasoned)] == [True]


@pytest.mark.parametrize(
    "comment",
    [
        "# exact",
        "# exact:",
        "# exact: yes",
        "# they are the same",
        "x = 1  # exact: both are copies of one file",
        "x = '# exact: both are copies of one file'",
    ],
)
def test_a_comment_without_a_reason_or_elsewhere_does_not_count(comment: str) -> None:
    assert [has_reason for _, has_reason in exact(f"{comment}\nassert torch.equal(one, other)")] == [False]


@pytest.mark.parametrize(
    "line",
    [
        "assert one == pytest.approx(0.25)",
        "assert torch.allclose(one, other, rtol=1e-5, atol=0.1)",
        "assert features.shape == (3, 2048)",
        "assert len(losses) == 3",
        "assert name == 'weights.safetensors'",
        "assert loss < 0.5",
        "assert budget(0.25) == 4",
        "assert model.fc.out_features == 3",
        "assert run.metrics['epoch'] == 0",
        "assert predict(photo)[0].breed == 'Pug'",
        "assert sum(counts) == 0",
        "assert (photos / 'a.jpg').read_bytes() == (copy / 'a.jpg').read_bytes()",
    ],
)
def test_what_is_not_an_exact_comparison_of_floats_is_left_alone(line: str) -> None:
    assert list(exact(line)) == []
