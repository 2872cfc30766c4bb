"""Published results of other models, under the protocol of the benchmark."""

from dataclasses import dataclass
from typing import Final

KLENITSKIY: Final = (
    "A. Klenitskiy, A. Vasilev: Turning Dross Into Gold Loss: is BERT4Rec really better than SASRec? "
    "RecSys 2023, arXiv:2309.07602"
)
PETROV: Final = (
    "A. V. Petrov, C. Macdonald: gSASRec: Reducing Overconfidence in Sequential Recommendation Trained with "
    "Negative Sampling. RecSys 2023, arXiv:2308.07192; results of the authors' code, asash/gSASRec-pytorch"
)
ZHAI: Final = (
    "J. Zhai et al.: Actions Speak Louder than Words: Trillion-Parameter Sequential Transducers for "
    "Generative Recommendations. ICML 2024, arXiv:2402.17152"
)
DING: Final = "B. Ding, J. Zhai: Retrieval with Learned Similarities. WWW 2025, arXiv:2407.15462"


@dataclass(frozen=True)
class PublishedResult:
    """Test metrics of a model in a publication, with as many digits as it states."""

    model: str
    hr_at_10: float
    ndcg_at_10: float
    source: str


# Data set -> results under leave-one-out on the 5-core, all items ranked.
PUBLISHED: Final = {
    "movielens-1m": (
        PublishedResult("GRU4Rec", 0.2811, 0.1648, KLENITSKIY),
        PublishedResult("SASRec, full cross-entropy", 0.315, 0.182, KLENITSKIY),
        PublishedResult("gSASRec", 0.3003, 0.1726, PETROV),
        PublishedResult("HSTU-large", 0.3294, 0.1893, ZHAI),
        PublishedResult("HSTU-large with mixture of logits", 0.3412, 0.1979, DING),
    )
}
