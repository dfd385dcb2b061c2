import io
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from distributed import Client
from rich.console import Console

from curate.blend.plan import plan_blend
from curate.blend.pool import Pool, read_pool
from curate.contract.errors import CurateError
from curate.contract.schemas import POOL
from pipelines.build import open_workers
from pipelines.recipes.load import dump_recipe, parse_recipe
from pipelines.run import tables
from pipelines.run.context import RunContext
from pipelines.run.folder import read_json
from pipelines.run.order import read_order
from pipelines.run.progress import Progress
from pipelines.write.layout import Layout, cut_order, lay_out
from pipelines.write.shard_set import _yields, recipe_digest, write_shard_set
from pipelines.write.spool import spool_folder
from shards.config import ShardsConfig
from shards.reader import read_index
from shards.verify import verify_shards
from tests.pipelines.corpus import CLIP, Picture, decide_all, doc, make_context, pair, write_partition

FIRST, SECOND = "mmc4-00000-00000", "coyo-00000-00000"
RECIPE = CLIP + "keep: {image.clip: {min: 0.25}}\nshards: {samples: 2}\n"


def fill(context: RunContext, *, text: str = "words", sims: tuple[float, ...] = (0.5,)) -> None:
    docs = [doc(f"d{n}", text, Picture(number=n, sims=sims)) for n in range(4)]
    write_partition(context, FIRST, docs)
    write_partition(context, SECOND, [pair("p", Picture(number=9)), pair("q", Picture(number=10, sims=(0.0,)))])


def write_set(client: Client, context: RunContext) -> Progress:
    decided = decide_all(context, FIRST, SECOND)
    pool = read_pool(decided.iterate_pool(context))
    progress = Progress(context.folder, console=Console(file=io.StringIO()))
    plan = plan_blend(pool, context.recipe.blend)
    write_shard_set(open_workers(client, context, progress), context, lay_out(context, decided, pool, plan))
    return progress


def skipped(progress: Progress) -> tuple[int, int]:
    counts = progress.counters["write_shards"]
    return counts["skipped"], counts["done"]


def manifest(context: RunContext) -> Any:
    return json.loads(Path(context.folder.file("shards", "main", "manifest.json")).read_text(encoding="utf-8"))


def files_of(context: RunContext) -> dict[str, bytes]:
    folder = Path(context.folder.file("shards", "main"))
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    made = make_context(tmp_path, RECIPE)
    fill(made)
    return made


def test_a_set_is_cut_written_and_sound(client: Client, context: RunContext) -> None:
    write_set(client, context)
    folder = context.folder.file("shards", "main")
    assert verify_shards(folder) == []
    assert manifest(context)["totals"]["num_samples"] == 5
    assert [shard["num_samples"] for shard in manifest(context)["shards"]] == [2, 2, 1]
    assert sorted(read_index(folder)["doc_id"].to_pylist()) == ["d0", "d1", "d2", "d3", "p"]
    assert manifest(context)["recipe_sha256"] == recipe_digest(context.recipe)


def test_the_same_again_writes_nothing(client: Client, context: RunContext) -> None:
    assert skipped(write_set(client, context)) == (0, 3)
    before = files_of(context)
    assert len(before) > 6
    assert skipped(write_set(client, context)) == (3, 3)
    assert files_of(context) == before


@pytest.mark.parametrize("change", [{"text": "other words"}, {"sims": (0.75,)}])
def test_changed_content_writes_the_shards_again(client: Client, context: RunContext, change: dict[str, Any]) -> None:
    write_set(client, context)
    fill(context, **change)
    assert skipped(write_set(client, context)) == (0, 3)
    assert verify_shards(context.folder.file("shards", "main")) == []


def test_a_smaller_set_leaves_no_shard_of_the_larger(client: Client, context: RunContext) -> None:
    write_set(client, context)
    write_partition(context, FIRST, [doc("d0", "words", Picture(number=1))])
    write_set(client, context)
    folder = Path(context.folder.file("shards", "main"))
    assert [path.name for path in sorted(folder.glob("*.tar"))] == ["00000.tar"]
    assert verify_shards(str(folder)) == []


def test_times_are_another_set_and_come_and_go_with_their_key(client: Client, context: RunContext) -> None:
    text, tars = dump_recipe(context.recipe), []
    for wanted in ("stable", "full", "stable"):
        made = replace(context, recipe=parse_recipe(text, overrides=[f"shards.provenance={wanted}"]))
        assert skipped(write_set(client, made)) == (0, 3)
        assert verify_shards(made.folder.file("shards", "main")) == []
        tars.append(Path(made.folder.file("shards", "main", "00000.tar")).read_bytes())
    assert tars[0] == tars[2] != tars[1]
    assert b"fetched_at" in tars[1]


def test_going_back_and_forth_between_two_orders_leaves_a_sound_set(client: Client, context: RunContext) -> None:
    """Two orders of the same samples have shards of the same sizes."""
    text, tars = dump_recipe(context.recipe), []
    for seed in (0, 1, 0):
        recipe = parse_recipe(text, overrides=["shards.samples=100", f"blend.seed={seed}"])
        made = replace(context, recipe=recipe)
        write_set(client, made)
        assert verify_shards(made.folder.file("shards", "main")) == []
        tars.append(Path(made.folder.file("shards", "main", "00000.tar")).read_bytes())
    assert tars[0] == tars[2] != tars[1]


@pytest.mark.parametrize(("spool_bytes", "num_waves"), [("1", 3), ("200GB", 1)])
def test_waves_change_no_byte_and_leave_nothing(
    client: Client, context: RunContext, spool_bytes: str, num_waves: int
) -> None:
    write_set(client, context)
    before = files_of(context)
    for tar in Path(context.folder.file("shards", "main")).glob("*.tar"):
        tar.unlink()
    recipe = parse_recipe(dump_recipe(context.recipe), overrides=[f"engine.spool_bytes={spool_bytes}"])
    progress = write_set(client, replace(context, recipe=recipe))
    assert files_of(context) == before
    orders = [read_order(context, "main", number) for number in (0, 1)]
    taken = {
        (shard if num_waves > 1 else 0, number)
        for number, order in enumerate(orders)
        for shard in order["shard"].to_pylist()
    }
    assert progress.counters["spool"]["done"] == len(taken)  # what each wave takes from, once
    assert not Path(spool_folder(context, "main")).exists()


def test_of_waves_that_are_written_nothing_is_spooled_again(client: Client, context: RunContext) -> None:
    waves = replace(context, recipe=parse_recipe(dump_recipe(context.recipe), overrides=["engine.spool_bytes=1"]))
    write_set(client, waves)
    last = Path(context.folder.file("shards", "main", "00002.tar"))
    whole = last.read_bytes()
    last.unlink()
    progress = write_set(client, waves)
    assert progress.counters["spool"]["done"] == 1
    assert skipped(progress) == (2, 3)
    assert last.read_bytes() == whole


def test_a_set_that_could_not_be_rewritten_does_not_pass_as_whole(client: Client, context: RunContext) -> None:
    write_set(client, context)
    fill(context, text="other words")
    decided = decide_all(context, FIRST, SECOND)
    pool = read_pool(decided.iterate_pool(context))
    plan = plan_blend(pool, context.recipe.blend)
    Path(context.folder.path(tables.IMAGES, SECOND)).unlink()
    progress = Progress(context.folder, console=Console(file=io.StringIO()))
    with pytest.raises(CurateError, match=r"stage spool failed on 1 partitions \(coyo-00000-00000\): "):
        write_shard_set(open_workers(client, context, progress), context, lay_out(context, decided, pool, plan))
    assert any("manifest.json" in fault for fault in verify_shards(context.folder.file("shards", "main")))


def test_matches_that_are_lost_are_made_anew(client: Client, context: RunContext) -> None:
    write_set(client, context)
    before = files_of(context)
    decided = decide_all(context, FIRST, SECOND)
    pool = read_pool(decided.iterate_pool(context))
    Path(context.folder.file("shards", "main", "00001.tar")).unlink()
    for name in (FIRST, SECOND):
        Path(context.folder.path(decided.decision.matches, name)).unlink()
    progress = Progress(context.folder, console=Console(file=io.StringIO()))
    plan = plan_blend(pool, context.recipe.blend)
    write_shard_set(open_workers(client, context, progress), context, lay_out(context, decided, pool, plan))
    assert skipped(progress) == (2, 3)
    assert files_of(context) == before


def pool_of(*sizes: int) -> Pool:
    rows = [
        {"doc_id": f"d{n}", "hash": n, "source": "mmc4", "kind": "pair", "num_images": 1, "num_words": 1,
         "num_chars": 1, "num_bytes": size}
        for n, size in enumerate(sizes)
    ]  # fmt: skip
    return read_pool([(FIRST, pa.Table.from_pylist(rows, schema=POOL))])


@pytest.mark.parametrize(
    ("config", "shards"),
    [
        (ShardsConfig(), [0, 0, 0, 0]),
        (ShardsConfig(samples=3), [0, 0, 0, 1]),
        (ShardsConfig(samples=1), [0, 1, 2, 3]),
        # 3, 1, 1, 2 in the order of the blend.
        (ShardsConfig(bytes=4), [0, 0, 1, 1]),
        (ShardsConfig(bytes=1), [0, 1, 2, 3]),
    ],
)
def test_the_order_is_cut_by_samples_and_bytes(config: ShardsConfig, shards: list[int]) -> None:
    cut = cut_order(np.array([2, 0, 0, 1], np.uint32), pool_of(1, 2, 3), config)
    assert cut.tolist() == shards


def test_an_order_of_a_real_plan_and_an_empty_one_are_cut() -> None:
    pool = pool_of(5, 5, 5)
    plan = plan_blend(pool, make_context(Path("/nowhere")).recipe.blend)
    assert cut_order(plan.rows, pool, ShardsConfig(samples=2)).tolist() == [0, 0, 1]
    assert len(cut_order(np.zeros(0, np.uint32), pool, ShardsConfig())) == 0


def test_a_set_is_laid_out_by_partition_and_made_from_its_order_and_content(context: RunContext) -> None:
    def lay(made: RunContext) -> Layout:
        decided = decide_all(made, FIRST, SECOND)
        pool = read_pool(decided.iterate_pool(made))
        return lay_out(made, decided, pool, plan_blend(pool, made.recipe.blend))

    layout = lay(context)
    pool = read_pool(layout.decided.iterate_pool(context))
    plan = plan_blend(pool, context.recipe.blend)
    by_shard = (plan.rows[:2], plan.rows[2:4], plan.rows[4:])
    assert layout.num_bytes == tuple(pool.num_bytes[rows].sum() for rows in by_shard)
    of_document = np.array([0, 0, 0, 0, 1])
    assert [own.tolist() for own in layout.partitions] == [sorted({*of_document[rows].tolist()}) for rows in by_shard]
    taken = [read_order(context, "main", number) for number in (0, 1)]
    assert [table.num_rows for table in taken] == [4, 1]
    assert sorted(place for table in taken for place in table["place"].to_pylist()) == list(range(5))
    decision = decide_all(context, FIRST, SECOND).decision
    assert read_json(context.folder.file("blend", "main.json"))["decision"] == decision.name
    assert lay(context).made_from == layout.made_from
    text = dump_recipe(context.recipe)
    other = replace(context, recipe=parse_recipe(text, overrides=["blend.seed=1"]))
    fuller = replace(context, recipe=parse_recipe(text, overrides=["shards.provenance=full"]))
    elsewhere = replace(context, recipe=parse_recipe(text, overrides=["engine.workers=3"]))
    assert len({one.made_from for one in (layout, lay(other), lay(fuller))}) == 3
    assert lay(elsewhere).made_from == layout.made_from
    fill(context, text="other words")
    assert lay(context).made_from != layout.made_from


def test_the_recipes_digest_leaves_out_how_the_work_is_laid_out() -> None:
    base = make_context(Path()).recipe
    text = dump_recipe(base)
    assert recipe_digest(base) == recipe_digest(parse_recipe(text, overrides=["engine.workers=3", "engine.window=9"]))
    assert recipe_digest(base) != recipe_digest(parse_recipe(text, overrides=["blend.seed=3"]))


def test_the_card_says_what_every_rule_took(tmp_path: Path) -> None:
    recipe = make_context(tmp_path, CLIP + "admit: {text.words: {min: 3}}\nkeep: {image.clip: {min: 0.5}}\n").recipe
    rejections = Counter({("image.clip", "images"): 4, ("text.words", "documents"): 2, ("fetch.http_404", "images"): 1})
    yields = _yields(recipe, rejections)
    assert [line.name.split(" ")[0] for line in yields] == ["text.words", "image.clip", "fetch.http_404"]
    assert [(line.num_documents, line.num_images) for line in yields] == [(2, 0), (0, 4), (0, 1)]
    assert '"min":0.5' in yields[1].name
    assert [line.num_images for line in _yields(recipe, Counter())] == [0, 0]
