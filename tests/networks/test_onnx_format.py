from __future__ import annotations

from typing import TYPE_CHECKING, Any

import onnx
import pytest
from google.protobuf.message import DecodeError
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, TrainingInfoProto, helper

from hemato_lab.errors import ModelError
from hemato_lab.networks.onnx_format import KNOWN_DOMAINS, LAST_FIELDS, MESSAGES_IN, read_metadata
from tests.networks.graphs import DETECTS, array, as_model, detector_model, floats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

X, Y = floats("x", 4), floats("y", 4)


def external(name: str = "w") -> TensorProto:
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="weights.bin")
    return tensor


def plain(name: str = "w") -> TensorProto:
    return array(name, [1, 2, 3, 4])


def graph(nodes: tuple[Any, ...] = (), tensors: tuple[TensorProto, ...] = (), **others: Any) -> Any:
    return helper.make_graph([*nodes, helper.make_node("Relu", ["x"], ["y"])], "g", [X], [Y], list(tensors), **others)


def sparse(values: TensorProto, indices: TensorProto) -> Any:
    return helper.make_sparse_tensor(values, indices, [4])


def constant(**value: Any) -> Any:
    return helper.make_node("Constant", [], ["w"], **value)


def training(tensor: TensorProto) -> ModelProto:
    model = as_model(graph())
    model.training_info.append(TrainingInfoProto(algorithm=graph((), (tensor,))))
    return model


def function(tensor: TensorProto) -> ModelProto:
    made = helper.make_function("ai.onnx", "f", [], ["w"], [constant(value=tensor)], [helper.make_opsetid("", 17)])
    return as_model(graph(), functions=[made])


def function_default(tensor: TensorProto) -> ModelProto:
    default = helper.make_attribute("value", tensor)
    imports = [helper.make_opsetid("", 17)]
    made = helper.make_function("", "f", [], ["w"], [], imports, attribute_protos=[default])
    return as_model(graph(), functions=[made])


def branch(tensor: TensorProto) -> ModelProto:
    inner = helper.make_graph([], "branch", [], [Y], [tensor])
    return as_model(graph((helper.make_node("If", ["c"], ["z"], then_branch=inner, else_branch=graph()),)))


def branch_in_a_branch(tensor: TensorProto) -> ModelProto:
    inner = helper.make_graph([], "branch", [], [Y], [tensor])
    outer = graph((helper.make_node("Strange", [], ["z"], bodies=[graph(), inner]),))
    return as_model(graph((helper.make_node("Loop", ["c"], ["z"], body=outer),)))


PLACES: dict[str, Callable[[TensorProto], ModelProto]] = {
    "initializer": lambda tensor: as_model(graph((), (plain("v"), tensor))),
    "sparse values": lambda tensor: as_model(graph(sparse_initializer=[sparse(tensor, plain("i"))])),
    "sparse indices": lambda tensor: as_model(graph(sparse_initializer=[sparse(plain(), tensor)])),
    "constant": lambda tensor: as_model(graph((constant(value=tensor),))),
    "list of tensors": lambda tensor: as_model(graph((constant(values=[plain(), tensor]),))),
    "sparse constant": lambda tensor: as_model(graph((constant(sparse_value=sparse(tensor, plain("i"))),))),
    "list of sparse": lambda tensor: as_model(graph((constant(values=[sparse(plain(), tensor)]),))),
    "branch": branch,
    "branch in a branch": branch_in_a_branch,
    "function": function,
    "function's default": function_default,
    "training": training,
}


def messages(descriptor: Any, seen: dict[str, Any] | None = None) -> dict[str, Any]:
    """Every message that a message can hold, by name."""
    seen = {} if seen is None else seen
    if descriptor.name not in seen:
        seen[descriptor.name] = descriptor
        for field in descriptor.fields:
            if field.message_type is not None:
                messages(field.message_type, seen)
    return seen


def test_everything_that_can_hold_tensors_or_operators_is_walked():
    known = messages(ModelProto.DESCRIPTOR)
    wanted = {"TensorProto", "NodeProto", "FunctionProto"}
    holders = {name for name, descriptor in known.items() if wanted & set(messages(descriptor))}
    expected = {
        name: {field.number: field.message_type.name for field in known[name].fields if _name(field) in holders}
        for name in holders
    }
    expected["ModelProto"][14] = "StringStringEntryProto"
    assert {name: dict(fields) for name, fields in MESSAGES_IN.items()} == expected
    assert dict(LAST_FIELDS) == {name: max(field.number for field in known[name].fields) for name in holders}


def _name(field: Any) -> str | None:
    return None if field.message_type is None else field.message_type.name


@pytest.mark.parametrize("place", PLACES)
def test_data_in_another_file_is_refused_wherever_it_is_named(place: str):
    assert read_metadata(PLACES[place](plain()).SerializeToString(), subject="a.onnx") == {}
    with pytest.raises(ModelError, match=r"^a\.onnx: keeps data in another file \(export"):
        read_metadata(PLACES[place](external()).SerializeToString(), subject="a.onnx")


def test_half_a_reference_to_another_file_is_refused_too():
    only_said, only_named = plain(), plain()
    only_said.data_location = TensorProto.EXTERNAL
    only_named.external_data.add(key="location", value="weights.bin")
    for tensor in (only_said, only_named):
        with pytest.raises(ModelError, match="another file"):
            read_metadata(PLACES["initializer"](tensor).SerializeToString(), subject="a.onnx")
    openly_inside = plain()
    openly_inside.data_location = TensorProto.DEFAULT
    read_metadata(PLACES["initializer"](openly_inside).SerializeToString(), subject="a.onnx")


@pytest.mark.parametrize("domain", ["", "ai.onnx", "com.microsoft"])
def test_operators_of_the_runtime_are_taken(domain: str):
    assert domain in KNOWN_DOMAINS
    node = helper.make_node("Anything", ["x"], ["z"], domain=domain)
    read_metadata(as_model(graph((node,))).SerializeToString(), subject="a.onnx")


@pytest.mark.parametrize("domain", ["ai.onnx.ml", "com.microsoft.nchwc", "example.org", "AI.ONNX", "\N{SNOWMAN}"])
def test_operators_from_elsewhere_are_refused(domain: str):
    node = helper.make_node("Anything", ["x"], ["z"], domain=domain)
    body = helper.make_node("Loop", ["c"], ["z"], body=graph((node,)))
    made = helper.make_function(domain, "f", ["x"], ["y"], [], [helper.make_opsetid("", 17)])
    for model in (as_model(graph((node,))), as_model(graph((body,))), as_model(graph(), functions=[made])):
        with pytest.raises(ModelError, match="domain") as caught:
            read_metadata(model.SerializeToString(), subject="a.onnx")
        assert repr(domain) in caught.value.problem


def test_metadata_are_those_that_were_written():
    assert read_metadata(detector_model().SerializeToString(), subject="a.onnx") == DETECTS
    strange = {"": "", "\N{SNOWMAN}": "a\nb", "long": "x" * 70_000}
    assert read_metadata(detector_model(strange).SerializeToString(), subject="a.onnx") == strange


def test_a_key_that_stands_twice_is_refused():
    model = detector_model()
    model.metadata_props.add(key="name", value="another")
    with pytest.raises(ModelError, match="name twice"):
        read_metadata(model.SerializeToString(), subject="a.onnx")


TENSOR = array("w", [1, 2]).SerializeToString()


def length_delimited(tag: bytes, content: bytes) -> bytes:
    assert len(content) < 128
    return tag + bytes([len(content)]) + content


def with_tensor(content: bytes) -> bytes:
    return length_delimited(b"\x3a", length_delimited(b"\x2a", content))


def test_the_hand_made_bytes_are_a_model():
    assert onnx.load_from_string(with_tensor(TENSOR)).graph.initializer[0].name == "w"
    read_metadata(with_tensor(TENSOR), subject="a.onnx")


@pytest.mark.parametrize(
    "content",
    [
        b"\x70\x01",  # as it is usually written
        b"\xf0\x00\x01",  # the field's number with a byte more than it needs
        b"\x70\x81\x00",  # the same of the value
        b"\x70\x81\x80\x80\x80\x10",  # 2**32 + 1, which a 32-bit reader takes for 1
        b"\x70\x01\x70\x00",  # outside, and then inside after all
        b"\x70\x00\x70\x01",
        b"\xf0\x80\x80\x80\x10\x01",  # a field number that a 32-bit reader takes for 14
        b"\x72\x01\x01",  # data_location as bytes
        b"\x68\x01",  # external_data as a number
        b"\x6b\x6c",  # external_data as a group
        b"\x73\x74",  # data_location as a group
        b"\xb8\x01\x00",  # a field that TensorProto has not
        b"\x00\x01",  # field number 0
        b"\x0e",
        b"\x0f",
        b"\x70",
        b"\x70" + b"\xff" * 10,
        b"\x4a\x7f\x00",  # longer than what is left
        b"\x4a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x49\x00\x00",
    ],
)
def test_no_way_of_writing_it_gets_past(content: bytes):
    with pytest.raises(ModelError):
        read_metadata(with_tensor(TENSOR + content), subject="a.onnx")


@pytest.mark.parametrize(
    "data",
    [b"\x89PNG\r\n\x1a\n", b"\x08", b"\x3a\x05\x0a", b"\x72\x04\x0a\x02\xff\xfe", b"\x70\x01", b"\x38\x01"],
)
def test_what_is_no_model_is_refused(data: bytes):
    with pytest.raises(ModelError, match=r"a\.onnx: is no ONNX model"):
        read_metadata(data, subject="a.onnx")


BASES = [make(external()).SerializeToString() for make in PLACES.values()]


def tensors_of(message: Any) -> Iterator[TensorProto]:
    if isinstance(message, TensorProto):
        yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for inner in [value] if hasattr(value, "ListFields") else value:
                yield from tensors_of(inner)


@settings(max_examples=1500)
@given(
    st.sampled_from(BASES),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(max_size=3), st.integers(0, 2)), max_size=3),
)
def test_what_the_reference_reads_as_another_file_is_never_let_through(base: bytes, changes: list[Any]):
    data = bytearray(base)
    for where, insert, taken in changes:
        start = int(where * len(data))
        data[start : start + taken] = insert
    try:
        read_metadata(bytes(data), subject="a.onnx")
    except ModelError:
        return
    try:
        model = ModelProto.FromString(bytes(data))
    except DecodeError:
        assume(condition=False)
    assert not [tensor for tensor in tensors_of(model) if tensor.data_location or tensor.external_data]


def test_however_deep_a_tensor_lies_it_is_found():
    inner = length_delimited(b"\x2a", b"\x70\x01")
    for _ in range(3000):
        for tag in (b"\x32", b"\x2a", b"\x0a"):  # the graph of an attribute of a node of a graph
            inner = tag + _length(len(inner)) + inner
    with pytest.raises(ModelError, match="another file"):
        read_metadata(b"\x3a" + _length(len(inner)) + inner, subject="a.onnx")


def _length(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])
