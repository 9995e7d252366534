"""Family image_processing: Pillow, and transformers' processors for SigLIP that are built on it."""

import io
import pathlib

import numpy as np
import PIL.Image
import torch
from transformers.models.siglip2 import image_processing_pil_siglip2 as naflex
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from .case import Case, Draft, Expected, Random, within
from .image_rules import bagel_size, bytes_of, pixels_of, rgb_on_white
from .pictures import picture, png
from .png_writer import GRAY, GRAY_ALPHA, PALETTE, RGB, RGBA, write_png
from .versions import versions

PRODUCER = {**versions("pillow", "transformers", "torch", "numpy"),
            "note": "Pillow; SiglipImageProcessorPil, Siglip2ImageProcessorPil; BAGEL's rules from image_rules.py"}

FILTERS = {name: PIL.Image.Resampling[name.upper()] for name in ("nearest", "bilinear", "bicubic", "lanczos")}


def _open(case: Case, name: str) -> PIL.Image.Image:
    return PIL.Image.open(case.file(name))


def _stem(name: str) -> str:
    return name.rsplit(".", 1)[0]


def resize(case: Case) -> Expected:
    return Expected({job["out"]: bytes_of(_open(case, job["image"]).resize((job["width"], job["height"]),
                                                                         FILTERS[job["filter"]]))
                     for job in case.params["jobs"]})


def decode_rgb(case: Case) -> Expected:
    tensors = {}
    for name in case.params["images"]:
        image = _open(case, name)
        if image.mode.startswith("I"):  # 16-bit gray: the high byte, where Pillow's own conversion saturates
            saturated = f"{_stem(name)}.pillow_saturated_do_not_copy"
            if saturated in case.spec["tolerance"]:
                tensors[saturated] = bytes_of(image.convert("RGB"))
            image = PIL.Image.fromarray((np.array(image, dtype=np.uint32) >> 8).astype(np.uint8))
        tensors[f"{_stem(name)}.drop_alpha"] = bytes_of(image.convert("RGB"))
        tensors[f"{_stem(name)}.on_white"] = bytes_of(rgb_on_white(image))
    return Expected(tensors)


def decode_jpeg(case: Case) -> Expected:
    return Expected({_stem(name): bytes_of(_open(case, name).convert("RGB")) for name in case.params["images"]})


def siglip_fixed(case: Case) -> Expected:
    p = case.params
    processor = SiglipImageProcessorPil(size={"height": p["height"], "width": p["width"]},
                                        resample=FILTERS[p["filter"]], image_mean=p["mean"], image_std=p["std"])
    images = [_open(case, name) for name in p["images"]]
    return Expected({"pixel_values": processor(images, return_tensors="pt")["pixel_values"]})


def siglip2_naflex(case: Case) -> Expected:
    p = case.params
    processor = naflex.Siglip2ImageProcessorPil(patch_size=p["patch_size"], max_num_patches=p["max_num_patches"])
    result = processor([_open(case, name).convert("RGB") for name in p["images"]], return_tensors="pt")
    return Expected({"pixel_values": result["pixel_values"],
                     "pixel_attention_mask": result["pixel_attention_mask"].to(torch.int32),
                     "spatial_shapes": result["spatial_shapes"].long()})


def bagel_transform(case: Case) -> Expected:
    p, tensors = case.params, {}
    for name in p["images"]:
        rgb = rgb_on_white(_open(case, name))
        height, width = bagel_size(rgb.height, rgb.width, p["max_size"], p["min_size"], p["stride"], p["max_pixels"])
        tensors[_stem(name)] = pixels_of(rgb.resize((width, height), FILTERS["bicubic"]))
    return Expected(tensors)


def naflex_size(case: Case) -> Expected:
    return Expected(json=[
        [h, w, patch, most, *naflex.get_image_size_for_max_num_patches(h, w, patch, most)]
        for h, w, patch, most in case.params["queries"]])


def bagel_size_op(case: Case) -> Expected:
    return Expected(json=[[*query, *bagel_size(*query)] for query in case.params["queries"]])


OPS = {"resize": resize, "decode_rgb": decode_rgb, "decode_jpeg": decode_jpeg, "siglip_fixed": siglip_fixed,
       "siglip2_naflex": siglip2_naflex, "bagel_transform": bagel_transform, "naflex_size": naflex_size,
       "bagel_size": bagel_size_op}


def write_models(_) -> None:
    pass


PICTURES = {"wide": (9, 31), "tall": (26, 11), "dot": (1, 1), "square": (17, 17)}  # name: height, width


def _resize_drafts():
    targets = [(17, 17), (5, 40), (40, 5), (1, 3), (26, 7), (9, 31)]
    files = {f"{name}.png": png(picture(f"resize {name}", *size)) for name, size in PICTURES.items()}
    files["gray.png"] = png(picture("resize gray", 19, 23, 1))
    for filter_name in FILTERS:
        jobs = [{"image": f"{name}.png", "filter": filter_name, "height": h, "width": w, "out": f"{name}_{h}x{w}"}
                for i, name in enumerate(PICTURES) for h, w in targets[i % 2 :: 2]]
        jobs.append({"image": "gray.png", "filter": filter_name, "height": 8, "width": 29, "out": "gray_8x29"})
        yield Draft(f"resize_{filter_name}", "resize", {job["out"]: "exact" for job in jobs}, {"jobs": jobs},
                    files=files)
    jobs = [{"image": "large.png", "filter": name, "height": h, "width": w, "out": f"{name}_{h}x{w}"}
            for name in FILTERS for h, w in ((13, 21), (60, 4))]
    yield Draft("resize_large", "resize", {job["out"]: "exact" for job in jobs}, {"jobs": jobs},
                files={"large.png": png(PIL.Image.fromarray(picture("resize large", 160, 210)).quantize(16).convert("RGB"))})


def _png_files() -> dict[str, bytes]:
    random = Random("png kinds").numpy
    height, width = 7, 10

    def samples(channels, depth):
        return random.integers(0, 2**depth, (height, width, channels))

    palette = random.integers(0, 256, (13, 3))
    few = random.integers(0, 13, (height, width, 1))
    rgb8, gray8 = samples(3, 8), samples(1, 8)
    gray16 = samples(1, 16)
    key = rgb8[3, 4].astype(">u2").tobytes()
    return {
        "gray1.png": write_png(samples(1, 1), GRAY, 1), "gray2.png": write_png(samples(1, 2), GRAY, 2),
        "gray4.png": write_png(samples(1, 4), GRAY, 4), "gray8.png": write_png(gray8, GRAY, 8),
        "gray16.png": write_png(gray16, GRAY, 16), "gray_alpha8.png": write_png(samples(2, 8), GRAY_ALPHA, 8),
        "rgb8.png": write_png(rgb8, RGB, 8), "rgb16.png": write_png(samples(3, 16), RGB, 16),
        "rgba8.png": write_png(samples(4, 8), RGBA, 8), "rgba16.png": write_png(samples(4, 16), RGBA, 16),
        "palette2.png": write_png(few % 4, PALETTE, 2, palette=palette[:4]),
        "palette8.png": write_png(few, PALETTE, 8, palette=palette),
        "palette4_alpha.png": write_png(few, PALETTE, 4, palette=palette, transparency=bytes([0, 80, 255, 10])),
        "rgb8_key.png": write_png(rgb8, RGB, 8, transparency=key),
        "gray8_key.png": write_png(gray8, GRAY, 8, transparency=gray8[2, 2].astype(">u2").tobytes()),
        "rgb8_interlaced.png": write_png(rgb8, RGB, 8, interlaced=True),
        "gray1_interlaced.png": write_png(samples(1, 1), GRAY, 1, interlaced=True),
        "palette4_interlaced.png": write_png(few, PALETTE, 4, palette=palette, interlaced=True),
        "rgb8_gamma.png": write_png(rgb8, RGB, 8, gamma=100000),
    }


def _jpeg(image: PIL.Image.Image, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **options)
    return buffer.getvalue()


def _jpeg_files() -> dict[str, bytes]:
    image = PIL.Image.fromarray(picture("jpeg", 29, 37))
    rotated = PIL.Image.Exif()
    rotated[0x0112] = 6  # orientation: a quarter turn, which is not applied
    return {"q85_420.jpg": _jpeg(image, quality=85, subsampling="4:2:0"),
            "q95_444.jpg": _jpeg(image, quality=95, subsampling="4:4:4"),
            "q50_422_progressive.jpg": _jpeg(image, quality=50, subsampling="4:2:2", progressive=True),
            "gray.jpg": _jpeg(image.convert("L"), quality=80), "turned.jpg": _jpeg(image, quality=85, exif=rotated)}


def drafts(_: pathlib.Path):
    yield from _resize_drafts()
    files = _png_files()
    names = [f"{_stem(name)}.{policy}" for name in files for policy in ("drop_alpha", "on_white")]
    yield Draft("decode_png", "decode_rgb", dict.fromkeys(names, "exact"), {"images": list(files)}, files=files)
    files = _jpeg_files()
    yield Draft("decode_jpeg", "decode_jpeg", {_stem(name): within(3, 0) for name in files}, {"images": list(files)},
                files=files)
    near = within(1e-6, 0)
    rgb = {f"{name}.png": png(picture(f"siglip {name}", *size)) for name, size in PICTURES.items()}
    mixed = {"wide.png": rgb["wide.png"], "gray.png": png(picture("siglip gray", 12, 15, 1)),
             "rgba.png": png(picture("siglip rgba", 14, 10, 4))}
    yield Draft("siglip_fixed_bilinear", "siglip_fixed", {"pixel_values": near}, {
        "images": list(rgb), "height": 14, "width": 14, "filter": "bilinear", "mean": [0.5] * 3, "std": [0.5] * 3},
        files=rgb)
    yield Draft("siglip_fixed_lanczos_stats", "siglip_fixed", {"pixel_values": near}, {
        "images": list(mixed), "height": 11, "width": 20, "filter": "lanczos", "mean": [0.4, 0.5, 0.6],
        "std": [0.2, 0.25, 0.3]}, files=mixed)
    for patch, most in ((6, 15), (9, 4)):
        yield Draft(f"siglip2_naflex_p{patch}", "siglip2_naflex",
                    {"pixel_values": near, "pixel_attention_mask": "exact", "spatial_shapes": "exact"},
                    {"images": list(rgb), "patch_size": patch, "max_num_patches": most}, files=rgb)
    sizes = mixed | {"tall.png": rgb["tall.png"]}
    yield Draft("bagel_transform", "bagel_transform", {_stem(name): near for name in sizes}, {
        "images": list(sizes), "max_size": 40, "min_size": 20, "stride": 10, "max_pixels": 700}, files=sizes)

    random = Random("sizes")
    sides = [[1, 1], [1, 3000], [3000, 1], [16, 16], [224, 224], [255, 257], [1080, 1920]]
    sides += random.integers(1, 2600, 60, 2).tolist()
    limits = [[16, 256], [14, 576], [32, 49], [16, 1]]
    yield Draft("naflex_size", "naflex_size", {"*": "exact"},
                {"queries": [[*side, *limits[i % len(limits)]] for i, side in enumerate(sides)]})
    rules = [[1024, 512, 16, 1806336], [980, 224, 14, 1806336], [980, 378, 14, 200000], [512, 256, 16, 60000]]
    yield Draft("bagel_size", "bagel_size", {"*": "exact"},
                {"queries": [[*side, *rules[i % len(rules)]] for i, side in enumerate(sides)]})
