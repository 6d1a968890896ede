"""The opponent that classifies electrocardiograms in ONNX Runtime: a network of the size of xresnet1d101.

The architecture is that of Strodthoff et al., "Deep Learning for ECG Analysis: Benchmarks and Insights
from PTB-XL" (IEEE JBHI 2021): a stem of three convolutions, 3 + 4 + 23 + 3 bottlenecks of inner width 64
and kernel 5, mean and maximum over time, two linear layers. The weights are random, and the batch norms
are folded into the convolutions, as the runtime itself would do.
"""

from __future__ import annotations

import os

from protocol import Workload, serve


class Graph:
    """An ONNX graph as it grows."""

    def __init__(self) -> None:
        import numpy

        self.numpy, self.random = numpy, numpy.random.default_rng(0)
        self.nodes, self.weights = [], []

    def weight(self, *shape: int) -> str:
        from onnx import numpy_helper

        scale = (2 / max(1, self.numpy.prod(shape[1:]))) ** 0.5
        values = (scale * self.random.standard_normal(shape)).astype("float32")
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def add(self, kind: str, *inputs: str, **attributes) -> str:
        from onnx import helper

        name = f"y{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def convolution(self, x: str, channels: tuple[int, int], kernel: int, stride: int = 1) -> str:
        weight, bias = self.weight(channels[1], channels[0], kernel), self.weight(channels[1])
        side = (kernel - 1) // 2
        return self.add("Conv", x, weight, bias, kernel_shape=[kernel], strides=[stride], pads=[side, side])

    def bottleneck(self, x: str, inputs: int, stride: int) -> str:
        y = self.add("Relu", self.convolution(x, (inputs, 64), 1))
        y = self.add("Relu", self.convolution(y, (64, 64), 5, stride))
        y = self.convolution(y, (64, 256), 1)
        if stride > 1:
            x = self.add("AveragePool", x, kernel_shape=[2], strides=[2], ceil_mode=1)
        if inputs != 256:
            x = self.convolution(x, (inputs, 256), 1)
        return self.add("Relu", self.add("Add", x, y))

    def network(self, classes: int) -> str:
        y = "x"
        for channels, stride in (((12, 32), 2), ((32, 32), 1), ((32, 64), 1)):
            y = self.add("Relu", self.convolution(y, channels, 5, stride))
        y = self.add("MaxPool", y, kernel_shape=[3], strides=[2], pads=[1, 1])
        inputs = 64
        for stage, count in enumerate((3, 4, 23, 3)):
            for block in range(count):
                y = self.bottleneck(y, inputs, 2 if stage > 0 and block == 0 else 1)
                inputs = 256
        pooled = [self.add(kind, y) for kind in ("GlobalAveragePool", "GlobalMaxPool")]
        y = self.add("Flatten", self.add("Concat", *pooled, axis=1))
        y = self.add("Relu", self.add("Gemm", y, self.weight(512, 128), self.weight(128)))
        return self.add("Gemm", y, self.weight(128, classes), self.weight(classes))


def xresnet(arguments: list[str]) -> Workload:
    """Recordings of so many samples, so many at a time, as many times as make up all."""
    import numpy
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper

    count, batch, samples, classes = map(int, arguments)
    graph = Graph()
    result = graph.network(classes)
    model = helper.make_model(
        helper.make_graph(
            graph.nodes, "xresnet1d101",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 12, samples])],
            [helper.make_tensor_value_info(result, TensorProto.FLOAT, [batch, classes])],
            graph.weights,
        ),
        opset_imports=[helper.make_opsetid("", 17)], ir_version=9,
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ["OMP_NUM_THREADS"])
    options.inter_op_num_threads = 1
    # As OpenMP's threads here: spinning ones lose to any neighbour.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    x = numpy.random.default_rng(1).standard_normal((batch, 12, samples)).astype("float32")
    parameters = sum(w.size for w in map(onnx.numpy_helper.to_array, graph.weights))
    return Workload(
        f"onnxruntime {onnxruntime.__version__}, {parameters / 1e6:.2f} million parameters",
        lambda: [session.run(None, {"x": x}) for _ in range(count // batch)],
    )


serve({"xresnet1d101": xresnet, "xresnet1d101-single": xresnet})
