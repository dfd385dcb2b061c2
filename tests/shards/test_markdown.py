from shards.markdown import render_table


def test_cells_stay_cells_and_text_stays_text() -> None:
    table = render_table(["a", "b"], [("x|y\nz", 12345), ("<b>&", 0.5)])
    assert table == "| a | b |\n| --- | --- |\n| x\\|y z | 12,345 |\n| &lt;b&gt;&amp; | 0.5 |\n"
