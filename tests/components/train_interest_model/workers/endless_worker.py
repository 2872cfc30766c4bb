"""A worker that ignores SIGTERM, as one does in which TensorFlow runs, and that never ends by itself."""

import signal
import time

from components.train_interest_model.workers.local_workers import end_with_step
from tests.patience import HANG_S

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    end_with_step()
    time.sleep(HANG_S)
