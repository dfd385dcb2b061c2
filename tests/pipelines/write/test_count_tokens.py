from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from curate.contract.errors import BlendError
from pipelines.recipes.load import parse_recipe
from pipelines.run.context import RunContext
from pipelines.run.folder import RunFolder
from pipelines.write.count_tokens import count_partition_tokens, count_pool_tokens, store_tokenizer
from tests.curate.blend.test_tokens import word_tokenizer
from tests.pipelines.corpus import SOURCES, Picture, chat, decide_all, doc, make_context, pair, write_partition
from tests.pipelines.in_process import InProcess

FIRST, SECOND = "mmc4-00000-00000", "flan-00000-00000"


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "tokenizer.json").write_text(word_tokenizer().to_str())
    made = make_context(tmp_path, "blend: {tokenizer: words}\n")
    write_partition(made, FIRST, [doc("b", "one two", Picture(number=1), "three"), doc("bare", Picture(number=3))])
    write_partition(made, SECOND, [chat("c", "what is it", "a test")])
    return made


def test_counts_come_in_the_order_of_the_pool(context: RunContext) -> None:
    decided = decide_all(context, FIRST, SECOND)
    assert [pool["doc_id"].to_pylist() for _, pool in decided.iterate_pool(context)] == [["b", "bare"], ["c"]]
    assert count_pool_tokens(InProcess(), context, decided).tolist() == [3, 0, 5]
    write_partition(context, FIRST, [doc("bare", Picture(number=3)), doc("b", "one two", Picture(number=1), "three")])
    assert count_pool_tokens(InProcess(), context, decide_all(context, FIRST, SECOND)).tolist() == [0, 3, 5]


def test_what_is_counted_is_skipped(context: RunContext) -> None:
    digest = store_tokenizer(context)
    for partition in (FIRST, SECOND):
        assert not count_partition_tokens(context, partition, digest).skipped
        assert count_partition_tokens(context, partition, digest).skipped
    workers = InProcess()
    assert count_pool_tokens(workers, context, decide_all(context, FIRST, SECOND)).tolist() == [3, 0, 5]
    assert [report.skipped for report in workers.reports] == [True, True]


def test_of_documents_that_fell_no_tokens_are_returned(context: RunContext) -> None:
    rules = "keep: {doc.images: {min: 1}}\nblend: {tokenizer: words}\n"
    strict = replace(context, recipe=parse_recipe(SOURCES + rules))
    write_partition(strict, FIRST, [doc("bare", "no picture here"), doc("b", "one two", Picture(number=1), "three")])
    assert count_pool_tokens(InProcess(), strict, decide_all(strict, FIRST, SECOND)).tolist() == [3, 5]


def test_other_text_is_counted_again_and_another_tokenizer_beside(context: RunContext) -> None:
    digest = store_tokenizer(context)
    count_partition_tokens(context, SECOND, digest)
    write_partition(context, SECOND, [chat("c", "other words than before", "now")])
    assert not count_partition_tokens(context, SECOND, digest).skipped
    (path,) = Path(context.folder.root, "measure").glob("tokens-*/" + SECOND + ".parquet")
    assert pq.read_table(path)["num_tokens"].to_pylist() == [5]


def test_a_tokenizer_stays_known_when_its_folder_has_gone(context: RunContext, tmp_path: Path) -> None:
    digest = store_tokenizer(context)
    (tmp_path / "words" / "tokenizer.json").unlink()
    (tmp_path / "words").rmdir()
    assert store_tokenizer(context) == digest
    elsewhere = replace(context, folder=RunFolder(str(tmp_path / "other")))
    with pytest.raises(BlendError, match=r"blend.tokenizer: words"):
        store_tokenizer(elsewhere)


def test_without_a_name_there_is_nothing_to_store(context: RunContext) -> None:
    with pytest.raises(BlendError, match="none is named"):
        store_tokenizer(replace(context, recipe=parse_recipe(SOURCES)))


def test_a_pair_counts_its_caption(context: RunContext) -> None:
    partition = "coyo-00000-00000"
    write_partition(context, partition, [pair("p", Picture(number=4), "two words")])
    assert count_pool_tokens(InProcess(), context, decide_all(context, partition)).tolist() == [2]
