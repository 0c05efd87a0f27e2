"""What can be set from outside: environment variables (`MDR_…`) or a `.env` file; nothing else reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent.parent
"""The folder that holds `assets/` and `data/sample/`."""
SHIPPED = ("base", "final", "generator")
"""Models that come along; base has seen no label, final has."""
SPACE_DISK = Path("/data")
"""Where a Space has its persistent storage, if it has any: everything else there is gone with the next start."""


class Settings(BaseSettings):
    """One object, passed down from the edge."""

    model_config = SettingsConfigDict(env_prefix="MDR_", env_file=".env", extra="ignore")

    home: Path = Field(ROOT / "data", description="where artefacts, names and judgements are kept")
    assets: Path = Field(ROOT / "assets", description="theme, recipes and shipped models")
    sample: Path = Field(ROOT / "data" / "sample", description="the collection the app opens with")
    encoder: str = Field("", description="model folder or hub name, base or final; empty: final")
    generator: str = Field("", description="model folder or hub name; empty: the shipped generator")
    device: str = Field("auto", description="auto, cpu or cuda")
    precision: str = Field("auto", description="of transformers: auto, float32, bfloat16 or float16")
    threads: int = Field(0, ge=0, description="threads for models and search; 0: all cores")
    host: str = Field("", description="address the app listens on; empty: this machine only, on a Space everywhere")
    port: int = Field(7860, ge=0, le=65535, description="port the app listens on; 0: any free one")
    sign_in: Literal["open", "required"] = Field("open", description="whether people who have not signed in get in")
    admins: str = Field("", description="Hugging Face names, with commas between, of those who are admins here")
    runs: Literal["", "everyone", "here", "admin", "off"] = Field(
        "", description="who may start runs; empty: here on this machine alone, off on a Space, else admin"
    )
    run_hours: float = Field(0, ge=0, description="hours that a run may take; 0: any number")
    searches: int = Field(0, ge=0, le=256, description="searches that run at once; 0: one for two cores, up to 8")
    searches_waiting: int = Field(64, ge=0, le=10_000, description="searches that wait their turn; more are refused")
    searches_each: int = Field(4, ge=1, le=256, description="searches that one visitor has under way at once")
    search_patience: float = Field(10, gt=0, description="seconds that a search waits for its turn")
    search_seconds: float = Field(20, ge=0, description="seconds that a search may take from then on; 0: any number")
    logs: Literal["problems", "plain", "json"] = Field(
        "problems", description="what the server says: only what went wrong, a line for each request, or that as JSON"
    )
    metrics_token: SecretStr = Field(SecretStr(""), description="lets a collector of metrics in from other machines")
    snapshot_minutes: float = Field(
        10, ge=0, description="minutes between snapshots of judgements; 0: only when asked for and at the end"
    )
    snapshot_repo: str = Field("", description="OWNER/NAME of a private hub data set that gets copies of snapshots")
    snapshot_place: str = Field("", description="the folder for them there; empty: the Space's or machine's name")
    space_id: str = Field("", validation_alias="SPACE_ID", description="set by Hugging Face where the app is a Space")
    space_host: str = Field("", validation_alias="SPACE_HOST", description="where the Space is reached, likewise")
    space_owner: str = Field("", validation_alias="SPACE_AUTHOR_NAME", description="whose Space it is, likewise")
    zero_gpu: bool = Field(False, validation_alias="SPACES_ZERO_GPU", description="whether it borrows GPUs, likewise")
    hub: str = Field("", validation_alias="OPENID_PROVIDER_URL", description="where people sign in, likewise")
    hub_client: str = Field("", validation_alias="OAUTH_CLIENT_ID", description="who we are there, likewise")
    hub_secret: SecretStr = Field(
        SecretStr(""), validation_alias="OAUTH_CLIENT_SECRET", description="what proves it, likewise"
    )

    @model_validator(mode="after")
    def _on_the_disk_of_the_space(self) -> Settings:
        if self.space_id and "home" not in self.model_fields_set and SPACE_DISK.is_mount():
            self.home = SPACE_DISK
        return self

    @property
    def address(self) -> str:
        """Where the app listens: a Space must be reached from outside its container."""
        return self.host or ("0.0.0.0" if self.space_id else "127.0.0.1")

    @property
    def url(self) -> str:
        """The address that people open."""
        if self.space_host:
            return f"https://{self.space_host}"
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.address, self.address)
        return f"http://{host}:{self.port}"

    @property
    def may_run(self) -> Literal["everyone", "here", "admin", "off"]:
        """Who may start runs: where only this machine reaches the app, whoever sits there could do it anyway."""
        if self.runs:
            return self.runs
        if self.space_id:
            return "off"
        return "here" if self.address in ("127.0.0.1", "::1", "localhost") else "admin"

    @property
    def store(self) -> Path:
        """Artefacts live here."""
        return self.home / "store"

    @property
    def judgements(self) -> Path:
        """The one judgement file."""
        return self.home / "judgements.duckdb"

    @property
    def snapshots(self) -> Path:
        """Snapshots of it."""
        return self.home / "snapshots"

    @property
    def accounts(self) -> Path:
        """Who may sign in, and who has."""
        return self.home / "accounts.sqlite"

    def model(self, name: str) -> str:
        """A model's folder or hub name; those that come along go by their own names."""
        return str(self.assets / "models" / name) if name in SHIPPED else name

    @property
    def default_encoder(self) -> str:
        """The encoder to use where none is named."""
        return self.model(self.encoder or "final")

    @property
    def base_encoder(self) -> str:
        """The encoder that training begins from where none is named: it has seen no label."""
        return self.model("base")

    @property
    def default_generator(self) -> str:
        """The generator to use where none is named."""
        return self.model(self.generator or "generator")

    @property
    def likelihoods(self) -> Path:
        """What generators said of queries and passages, kept."""
        return self.home / "likelihoods.sqlite"
