from reco_assets.ranking.gate import judge


def scores(**values: float) -> dict[str, dict[str, float]]:
    return {name: {"ndcg@20": value} for name, value in values.items()}


def test_a_challenger_better_than_all_passes() -> None:
    assert judge(scores(full=0.30, popular=0.10, also_viewed=0.25), "ndcg@20", "full").passed


def test_a_challenger_within_the_noise_of_the_champion_passes() -> None:
    assert judge(scores(full=0.295, popular=0.1, champion=0.30), "ndcg@20", "full").passed


def test_a_challenger_worse_than_the_champion_fails_and_says_so() -> None:
    verdict = judge(scores(full=0.25, popular=0.1, champion=0.30), "ndcg@20", "full")
    assert not verdict.passed
    assert any("champion" in reason for reason in verdict.reasons())


def test_a_challenger_below_popularity_fails() -> None:
    assert not judge(scores(full=0.09, popular=0.10), "ndcg@20", "full").passed


def test_a_challenger_clearly_below_its_best_source_fails() -> None:
    verdict = judge(scores(full=0.20, popular=0.1, also_viewed=0.25), "ndcg@20", "full")
    assert not verdict.passed
    assert verdict.comparisons["also_viewed"][0] == 0.25
