"""Trains three small nets of the kinds that are put on microcontrollers on Fashion-MNIST, and exports them as ONNX.

    pip install torch onnx
    python recipes/nets/fashion_nets.py [resnet] [dscnn] [inverted]

resnet.onnx is like MLPerf Tiny's ResNet-8, dscnn.onnx like its DS-CNN, inverted.onnx like MobileNetV2. They read pixels / 255, and
end in scores without a softmax. Trained are the first 55,000 pictures; the last 5,000 of the training file choose in `mote compress`.
Batch normalization is folded into the convolutions. A run repeats itself on one machine; others add up in another order.
"""
import gzip
import os
import sys
import time
from collections import OrderedDict

import numpy as np
import onnx
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = "/usr/share/datasets/fashion-mnist"
TRAINED = 55_000
EPOCHS = 14
BATCH = 128
RATE = 0.08
WEIGHT_DECAY = 5e-4


def pictures(prefix):
    """[count, 28, 28] pixels / 255 and [count] classes."""
    with gzip.open(f"{DATA}/{prefix}-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)
    with gzip.open(f"{DATA}/{prefix}-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    return torch.from_numpy(images / np.float32(255)), torch.from_numpy(labels.astype(np.int64))


class Unit(nn.Module):
    """Convolution, batch normalization, and what bends."""

    def __init__(self, channels, out, kernel, stride=1, groups=1, bend=None):
        super().__init__()
        self.conv = nn.Conv2d(channels, out, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(out)
        self.bend = bend or nn.Identity()

    def forward(self, x):
        return self.bend(self.norm(self.conv(x)))

    def fold(self):
        self.conv = fuse_conv_bn_eval(self.conv, self.norm)
        self.norm = nn.Identity()


class Residual(nn.Module):
    def __init__(self, channels, out, stride):
        super().__init__()
        self.first = Unit(channels, out, 3, stride, bend=nn.ReLU())
        self.second = Unit(out, out, 3)
        self.shortcut = nn.Identity() if stride == 1 and channels == out else Unit(channels, out, 1, stride)

    def forward(self, x):
        return F.relu(self.second(self.first(x)) + self.shortcut(x))


class Inverted(nn.Module):
    """Expands, filters each channel by itself, and projects with nothing that bends behind."""

    def __init__(self, channels, out, stride, expansion=4):
        super().__init__()
        wide = channels * expansion
        self.expand = Unit(channels, wide, 1, bend=nn.ReLU6())
        self.filter = Unit(wide, wide, 3, stride, groups=wide, bend=nn.ReLU6())
        self.project = Unit(wide, out, 1)
        self.is_added = stride == 1 and channels == out

    def forward(self, x):
        y = self.project(self.filter(self.expand(x)))
        return x + y if self.is_added else y


class Separable(nn.Module):
    def __init__(self, channels, out, stride):
        super().__init__()
        self.filter = Unit(channels, channels, 3, stride, groups=channels, bend=nn.ReLU())
        self.mix = Unit(channels, out, 1, bend=nn.ReLU())

    def forward(self, x):
        return self.mix(self.filter(x))


def chain(**modules):
    return nn.Sequential(OrderedDict(modules))


def resnet():
    return chain(
        stem=Unit(1, 16, 3, bend=nn.ReLU()),
        stage1=Residual(16, 16, 2),
        stage2=Residual(16, 32, 2),
        stage3=Residual(32, 64, 2),
        **head(64),
    )


def dscnn():
    return chain(
        stem=Unit(1, 64, 3, 2, bend=nn.ReLU()),
        block1=Separable(64, 64, 1),
        block2=Separable(64, 128, 2),
        block3=Separable(128, 128, 1),
        block4=Separable(128, 128, 1),
        **head(128),
    )


def inverted():
    return chain(
        stem=Unit(1, 16, 3, 2, bend=nn.ReLU6()),
        block1=Inverted(16, 16, 1),
        block2=Inverted(16, 24, 2),
        block3=Inverted(24, 24, 1),
        block4=Inverted(24, 32, 1),
        block5=Inverted(32, 32, 1),
        last=Unit(32, 128, 1, bend=nn.ReLU6()),
        **head(128),
    )


def head(channels):
    return {"pool": nn.AdaptiveAvgPool2d(1), "flat": nn.Flatten(), "scores": nn.Linear(channels, 10)}


def augmented(images):
    """Each flipped or not, and shifted by at most 2 pixels."""
    count = len(images)
    padded = F.pad(images, (2, 2, 2, 2))
    rows = torch.arange(28) + torch.randint(0, 5, (count, 1))
    columns = torch.arange(28) + torch.randint(0, 5, (count, 1))
    flipped = torch.rand(count, 1) < 0.5
    columns = torch.where(flipped, columns.flip(1), columns)
    return padded[torch.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]].unsqueeze(1)


def error(net, images, labels):
    """In percent."""
    net.eval()
    with torch.no_grad():
        wrong = sum(
            (net(x.unsqueeze(1)).argmax(1) != y).sum().item() for x, y in zip(images.split(500), labels.split(500))
        )
    return 100 * wrong / len(labels)


def train(net, images, labels):
    per_epoch = len(images) // BATCH
    optimizer = torch.optim.SGD(net.parameters(), RATE, momentum=0.9, nesterov=True, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, EPOCHS * per_epoch, pct_start=0.2)
    for epoch in range(EPOCHS):
        net.train()
        start = time.time()
        for chosen in torch.randperm(len(images))[: per_epoch * BATCH].split(BATCH):
            loss = F.cross_entropy(net(augmented(images[chosen])), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        print(f"epoch {epoch + 1}: loss of the last batch {loss.item():.3f}, {time.time() - start:.0f} s", flush=True)


def plain(node):
    """/stage1/first/conv/Conv is stage1-first, /stage1/first/bend/Relu is stage1-first-relu."""
    *path, last = [part for part in node.name.split("/") if part not in ["", "conv", "bend"]]
    return "-".join(path if node.op_type in ["Conv", "Gemm"] else [*path, last.lower()])


def export(net, name):
    net.eval()
    for module in net.modules():
        if isinstance(module, Unit):
            module.fold()
    path = os.path.join(HERE, f"{name}.onnx")
    names = {"input_names": ["image"], "output_names": ["scores"]}
    torch.onnx.export(net, (torch.zeros(1, 1, 28, 28),), path, **names, opset_version=13, dynamo=False)
    model = onnx.load(path)
    model.producer_version = ""
    for node in model.graph.node:
        node.name = plain(node)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return os.path.getsize(path)


def main(names):
    torch.set_num_threads(1)
    images, labels = pictures("train")
    test = pictures("t10k")
    for make in [resnet, dscnn, inverted]:
        name = make.__name__
        if names and name not in names:
            continue
        torch.manual_seed(1)
        net = make()
        train(net, images[:TRAINED], labels[:TRAINED])
        weights = sum(p.numel() for p in net.parameters() if p.dim() > 1)
        errors = f"{error(net, images[TRAINED:], labels[TRAINED:]):.2f} % of validation, {error(net, *test):.2f} % of test"
        print(f"{name}: {weights} weights, {export(net, name)} bytes, error {errors}", flush=True)


main(sys.argv[1:])
