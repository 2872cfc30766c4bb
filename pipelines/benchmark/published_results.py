"""Published figures of known models, under the protocol that the benchmark follows."""

from dataclasses import dataclass
from typing import Final

KLENITSKIY: Final = (
    "A. Klenitskiy, A. Vasilev: Turning Dross Into Gold Loss: is BERT4Rec really better than SASRec? "
    "RecSys 2023, arXiv:2309.07602"
)
PETROV: Final = (
    "A. V. Petrov, C. Macdonald: gSASRec: Reducing Overconfidence in Sequential Recommendation Trained with "
    "Negative Sampling. RecSys 2023, arXiv:2308.07192; figures of the authors' code, asash/gSASRec-pytorch"
)
ZHAI: Final = (
    "J. Zhai et al.: Actions Speak Louder than Words: Trillion-Parameter Sequential Transducers for "
    "Generative Recommendations. ICML 2024, arXiv:2402.17152"
)


@dataclass(frozen=True)
class Published:
    """What a paper states of a model, on test; as many digits as are certain."""

    model: str
    hr_at_10: float
    ndcg_at_10: float
    source: str


# Data set -> models, under leave-one-out on the 5-core, all items ranked.
PUBLISHED: Final = {
    "movielens-1m": (
        Published("GRU4Rec", 0.2811, 0.1648, KLENITSKIY),
        Published("SASRec, full cross-entropy", 0.315, 0.182, KLENITSKIY),
        Published("gSASRec", 0.3003, 0.1726, PETROV),
        Published("HSTU-large", 0.3294, 0.1893, ZHAI),
    )
}
