"""Several processes that train one network, each on a device of its own, started by torchrun.

Gradients are averaged by one exchange of one flat vector after the backward pass. That holds for whatever a step does:
several networks, several passes, parts that are frozen. DistributedDataParallel would overlap the exchange with the
backward pass and forbid some of these; 25 million float32 numbers, 0.1 GB, take a step's smallest part on any link that
GPUs are joined by.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.distributed_c10d import Store
from torch.distributed.rendezvous import rendezvous

from hdrnodes.errors import TrainingError

# The others stand still while the first validates, and while data is read; a process that died is noticed sooner.
PATIENCE = timedelta(hours=6)


@dataclass(frozen=True)
class Workers:
    """The processes that train together, as one of them sees it. By default there is but one.

    Attributes:
        rank: this one's number, from 0. Number 0 leads: it alone validates, writes and shows progress.
        count: how many there are.
        device: what this one runs on.
    """

    rank: int = 0
    count: int = 1
    device: torch.device = torch.device("cpu")

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace each by its mean over all processes, in one exchange, as float32."""
        if self.count == 1:
            return
        flat = torch.cat([each.detach().flatten().float() for each in tensors])
        with _exchange():
            dist.all_reduce(flat)
        flat /= self.count
        for each, mean in zip(tensors, torch.split(flat, [each.numel() for each in tensors]), strict=True):
            each.detach().copy_(mean.view(each.shape))

    def share(self, tensors: Iterable[Tensor]) -> None:
        """Replace each by what the leading process has."""
        if self.count == 1:
            return
        for each in tensors:
            sent = each.detach().clone(memory_format=torch.contiguous_format)
            with _exchange():
                dist.broadcast(sent, 0)
            each.detach().copy_(sent)

    def agree(self, number: int) -> bool:
        """Whether all processes say the same number."""
        if self.count == 1:
            return True
        ends = torch.tensor([number, -number], device=self.device)
        with _exchange():
            dist.all_reduce(ends, dist.ReduceOp.MAX)
        return int(ends[0]) == -int(ends[1])

    def wait(self) -> None:
        """Until all are here."""
        if self.count > 1:
            self.agree(0)


@contextmanager
def together(device: str = "cpu") -> Iterator[Workers]:
    """Join the processes that torchrun started; alone where it did not.

    Where one fails, that one's error is raised, in its process, and the others end quietly with exit code 1: the user
    gets one line from them all. torchrun adds its own report.

    Args:
        device: `cpu`, `cuda` (each process takes the GPU of its local rank), or with one process also `cuda:1` ...

    Raises:
        TrainingError: there is no such device; or a process died without a word.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Workers(device=_device(device, None))
        return
    own = _device(device, int(os.environ["LOCAL_RANK"]))
    # Optimisers import it when first used; were the processes joined by then, it would keep hold of what joins them,
    # whose threads then live until the interpreter is gone, and now and then abort it (torch 2.13: measured).
    import_module("torch._dynamo")
    store, rank, count = next(rendezvous("env://"))
    backend = "nccl" if own.type == "cuda" else "gloo"
    dist.init_process_group(
        backend,
        store=store,
        rank=rank,
        world_size=count,
        timeout=PATIENCE,
        device_id=own if own.type == "cuda" else None,
    )
    workers = Workers(rank, count, own)
    try:
        yield workers
    except BaseException:
        # Counted before connections break: whoever fails first speaks, and who fails for it does not.
        if _failed_before(store):
            raise SystemExit(1) from None
        raise
    workers.wait()  # the first process keeps what the others meet at: it must not be gone before they are done
    dist.destroy_process_group()


def _device(name: str, local_rank: int | None) -> torch.device:
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise TrainingError(name, "is no device that torch knows", "say cpu, cuda, cuda:1 ...") from error
    if device.type == "cpu":
        return torch.device("cpu")
    if device.type != "cuda":
        raise TrainingError(name, "is no device that training knows", "say cpu, cuda, cuda:1 ...")
    found = torch.cuda.device_count()
    number = device.index if device.index is not None else (local_rank or 0)
    if local_rank is not None and device.index not in (None, local_rank):
        raise TrainingError(name, "is one GPU, for several processes", "say --device cuda: each takes its own")
    if number >= found:
        raise TrainingError(f"cuda:{number}", f"torch finds {found} GPUs here", "train on fewer, or with --device cpu")
    device = torch.device("cuda", number)
    torch.cuda.set_device(device)
    return device


def _failed_before(store: Store) -> bool:
    try:
        return store.add("hdrnodes failed", 1) > 1
    except RuntimeError:  # torchrun itself is gone
        return False


@contextmanager
def _exchange() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise TrainingError(
            "torchrun", "a process that trains was lost", "run the same command again: it goes on from the checkpoint"
        ) from error
