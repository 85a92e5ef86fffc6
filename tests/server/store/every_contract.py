"""All that is asked of every home of the event store."""

from .contract import StoreContract
from .contract_apdex import ApdexContract
from .contract_bounds import BoundsContract
from .contract_details import DetailsContract
from .contract_export import ExportContract
from .contract_kept import KeptContract
from .contract_processes import ProcessContract
from .contract_rollups import RollupsContract
from .contract_tables import TablesContract


class EveryContract(
    StoreContract,
    ApdexContract,
    BoundsContract,
    DetailsContract,
    ExportContract,
    KeptContract,
    ProcessContract,
    RollupsContract,
    TablesContract,
):
    """A new part of the contract is named here, and every home is held to it."""
