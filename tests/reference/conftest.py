"""Each document's product: an organization at a served Keyturn, and the booking API before it."""

import pytest

from tests.reference.support import founded
from tests.support.installation import installed
from tests.support.served import serving


@pytest.fixture(scope="module")
def installation(request, tmp_path_factory):
    """With the settings that the module's product needs, as `ENVIRON`."""
    environ = getattr(request.module, "ENVIRON", {})
    with installed(tmp_path_factory.mktemp("reference"), **environ) as made:
        yield made


@pytest.fixture(scope="module")
def server(installation):
    with serving(installation) as served:
        yield served


@pytest.fixture(scope="module")
def product(request, installation, server):
    """The product that the module names as `PRODUCT`."""
    with founded(installation, server, request.module.PRODUCT) as made:
        yield made
