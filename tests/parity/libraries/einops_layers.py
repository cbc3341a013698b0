"""einops on tensors: rearranging, reducing, repeating, packing, products, and its layers, with their gradients."""

import torch
from einops import asnumpy, einsum, pack, parse_shape, rearrange, reduce, repeat, unpack
from einops.layers.torch import EinMix, Rearrange, Reduce
from torch import nn

torch.manual_seed(0)
images = torch.randn(2, 3, 8, 8, requires_grad=True)


def tell(name, result):
    (gradient,) = torch.autograd.grad(result.square().sum(), images)
    print(name, tuple(result.shape), result.norm().item(), gradient.norm().item())


# Patches of two by two pixels become channels, and come back.
patches = rearrange(images, "b c (h dh) (w dw) -> b (c dh dw) h w", dh=2, dw=2)
tell("patches", patches)
back = rearrange(patches, "b (c dh dw) h w -> b c (h dh) (w dw)", dh=2, dw=2)
print("back", torch.equal(back, images))
tell("tokens", rearrange(images, "b c h w -> b (h w) c"))
tell("list", rearrange([images, 2 * images], "n b c h w -> n (b c) h w"))
tell("ellipsis", rearrange(images, "b ... -> (...) b"))

for how in ("mean", "sum", "max", "min", "prod"):
    tell(how, reduce(images, "b c (h dh) (w dw) -> b c h w", how, dh=4, dw=4))
tell("own reduction", reduce(images, "b c h w -> b c", lambda x, dims: x.logsumexp(dims)))
tell("centred", images - reduce(images, "b c h w -> 1 c 1 1", "mean"))
tell("repeated", repeat(images, "b c h w -> b c (h two) w", two=2))

weights = torch.randn(3, 5)
tell("product", einsum(images, weights, "batch channel h w, channel out -> batch out h w"))
tell("gram", einsum(images, images, "b c h w, b d h w -> b c d"))

packed, shapes = pack([images, torch.ones(2, 4), torch.zeros(2, 1, 5)], "b *")
tell("packed", packed)
print("unpacked", [tuple(part.shape) for part in unpack(packed, shapes, "b *")], parse_shape(images, "b _ h w"))
print("array", type(asnumpy(images.detach())).__name__)

reader = nn.Sequential(
    Rearrange("b c (h dh) (w dw) -> b (h w) (c dh dw)", dh=4, dw=4),
    nn.Linear(48, 16),
    nn.GELU(),
    EinMix("b t c -> b t (head d)", weight_shape="c head d", bias_shape="head d", c=16, head=2, d=4),
    Reduce("b t c -> b c", "max"),
    Rearrange("b (head d) -> b head d", head=2),
)
print(reader)
print({name: tuple(value.shape) for name, value in reader.state_dict().items()})
for parameter in reader.parameters():
    nn.init.normal_(parameter, std=0.1)
tell("network", reader(images))
reader(images).sum().backward()
print("gradients", [parameter.grad.norm().item() for parameter in reader.parameters()])

for pattern in ("b c h w -> b c h", "b c -> b c", "b c (h two) w -> b c h w"):
    try:
        rearrange(images, pattern)
    except Exception as error:
        print(type(error).__name__, str(error).splitlines()[0].strip())
