from transformers import LlavaProcessor

from train_bridge.tasks.examples import EvalTask, Example
from train_bridge.tasks.prompts import Form, answer_space, build_prompt, cut_answer, prompt_images

ONE = Example(doc_id="1", source="s", images=(b"one",), question="What?", answers=("a cat", "cat"))
TWO = Example(doc_id="2", source="s", images=(b"two",), question="And this?", answers=("a dog",))


def prompt(processor: LlavaProcessor, *shots: Example, task: EvalTask, form: Form = "plain") -> str:
    return build_prompt(TWO, shots=shots, task=task, form=form, tokenizer=processor.tokenizer, image_mark="<image>")


def test_captions_are_written_as_a_document(processor: LlavaProcessor) -> None:
    assert prompt(processor, task="caption") == "<image>\n"
    assert prompt(processor, ONE, task="caption") == "<image>\na cat <image>\n"


def test_questions_are_asked_with_their_answers(processor: LlavaProcessor) -> None:
    wanted = "<image>\nQuestion: What? Short answer: a cat\n<image>\nQuestion: And this? Short answer:"
    assert prompt(processor, ONE, task="vqa") == wanted
    assert answer_space("vqa") == " "


def test_a_chat_model_sees_turns(processor: LlavaProcessor) -> None:
    wanted = "<s>USER: <image>\nWhat? ASSISTANT: a cat</s>USER: <image>\nAnd this? ASSISTANT:"
    assert prompt(processor, ONE, task="vqa", form="chat") == wanted
    assert "Describe the image" in prompt(processor, task="caption", form="chat")


def test_images_stand_in_the_order_of_their_marks() -> None:
    assert prompt_images(TWO, shots=[ONE]) == [b"one", b"two"]


def test_an_answer_ends_with_its_line() -> None:
    assert cut_answer("  a cat \nQuestion: more") == "a cat"
    assert cut_answer(" \n ") == ""
