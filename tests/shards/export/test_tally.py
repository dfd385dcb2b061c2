from shards.export.tally import Tally, count_images

RECORD = {"items": [{"type": "text"}, {"type": "image"}, {"type": "image"}]}


def test_images_are_counted() -> None:
    assert count_images(RECORD) == 2
    assert count_images({"items": []}) == 0


def test_what_is_left_out_adds_up() -> None:
    tally = Tally()
    for _ in range(3):
        tally.read(RECORD)
    tally.write(num_images=2)
    tally.write(num_images=1, num_records=5)
    tally.leave_out_images(1, "no URL")
    tally.leave_out_images(0, "never")
    tally.leave_out(RECORD, "text only")
    tally.change(2, "roles")
    tally.change(0, "never")
    assert tally.to_dict() == {
        "documents": {"read": 3, "written": 2, "left_out": {"text only": 1}},
        "images": {"read": 6, "written": 3, "left_out": {"no URL": 1, "text only": 2}},
        "records": 6,
        "changes": {"roles": 2},
    }
    assert tally.describe() == [
        "2 of 3 documents and 3 of 6 images in 6 records",
        "  left out: 1 documents: text only",
        "  left out: 1 images: no URL",
        "  left out: 2 images: text only",
        "  note: 2 roles",
    ]
