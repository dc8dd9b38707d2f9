"""What a site sets about the OPC UA server. Light to import: the core reads the same file and must not load the OPC UA stack."""

from typing import Annotated, Final

from pydantic import Field, StringConstraints

from controller.equipment import Strict

NAMESPACE: Final = "urn:ovenctl:oven"
_Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,253}$")]
_Path = Annotated[str, StringConstraints(min_length=1, max_length=400)]


class OpcuaSettings(Strict):
    """The OPC UA server. Before it is enabled: `ovenctl pki init` for its certificate, `ovenctl user add` for at least one person."""

    enabled: bool = False
    host: Annotated[_Name, Field(description="address to listen on; 0.0.0.0 for all")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="TCP port")] = 4840
    pki_dir: Annotated[_Path, Field(description="folder of own/, trusted/ and rejected/; below gateway.state_dir unless absolute")] = "pki"
    users_file: Annotated[_Path, Field(description="people, their roles and secrets; below gateway.state_dir unless absolute")] = (
        "users.toml"
    )
    library_file: Annotated[_Path, Field(description="recipe store; below gateway.state_dir unless absolute")] = "recipes.sqlite"
    anonymous: Annotated[bool, Field(description="true: a trusted application may look (viewer) without a user")] = False
    sign_only: Annotated[bool, Field(description="true: Sign without encryption is offered too")] = True
    max_connections: Annotated[int, Field(ge=2, le=16, description="TCP connections at once")] = 12
    max_per_address: Annotated[int, Field(ge=1, le=16, description="of these from one address")] = 8
    activation_s: Annotated[float, Field(ge=1, le=30, description="a connection without an activated session is closed after, s")] = 5.0
    session_s: Annotated[float, Field(ge=10, le=600, description="longest idle time of a session, s")] = 120.0
    poll_s: Annotated[float, Field(ge=0.05, le=10, description="how often the journal is read, s")] = 0.5
    answer_s: Annotated[float, Field(ge=1, le=30, description="how long a method waits for the core's answer, s")] = 8.0
    stale_s: Annotated[float, Field(ge=3, le=600, description="values lose their quality without a sample for, s; above any record_s")] = (
        75.0
    )
