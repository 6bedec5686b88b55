"""The set-up script, and that the tests keep away from what is the user's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import ensure_label_studio, ensure_mongod
from support.servers import ROOT, isolated

needs_own_mongod = pytest.mark.skipif(
    not ensure_mongod.runs(ensure_mongod.mongod_path()),
    reason="the tests use the server that FIFTYONE_DATABASE_URI names, for want of their own",
)


def executable(path: Path, script: str) -> Path:
    path.write_text(script)
    path.chmod(0o755)
    return path


@pytest.fixture
def mongod_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of FiftyOne's server, empty, on a machine where the user names no other server."""
    monkeypatch.delenv("FIFTYONE_DATABASE_URI")
    monkeypatch.setattr(ensure_mongod, "mongod_path", lambda: tmp_path / "mongod")
    return tmp_path / "mongod"


class TestEnsureMongod:
    @needs_own_mongod
    def test_this_environment_has_a_server_that_runs(self) -> None:
        assert ensure_mongod.mongod_path().parts[-4:] == ("fiftyone", "db", "bin", "mongod")

    @pytest.mark.parametrize("script", ["#!/bin/sh\nexit 1\n", "\x7fELF for another system", ""])
    def test_a_server_that_does_not_start_does_not_run(self, tmp_path: Path, script: str) -> None:
        assert not ensure_mongod.runs(executable(tmp_path / "mongod", script))

    def test_a_server_that_is_not_there_does_not_run(self, tmp_path: Path) -> None:
        assert not ensure_mongod.runs(tmp_path / "mongod")

    def test_nothing_is_installed_where_the_server_runs(
        self, mongod_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ensure_mongod, "install_binary", pytest.fail)
        executable(mongod_file, "#!/bin/sh\necho db version v6\n")
        ensure_mongod.main()

    def test_nothing_is_installed_where_the_user_names_a_server(
        self,
        mongod_file: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setattr(ensure_mongod, "install_binary", pytest.fail)
        monkeypatch.setenv("FIFTYONE_DATABASE_URI", "mongodb://user:secret@example.org")
        ensure_mongod.main()
        said = capsys.readouterr().out
        assert said.count("\n") == 1
        assert "secret" not in said

    def test_a_missing_server_is_installed(
        self, mongod_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(
            ensure_mongod, "install_binary", lambda: executable(mongod_file, "#!/bin/sh\n")
        )
        ensure_mongod.main()
        assert mongod_file.exists()

    def test_a_server_that_cannot_be_installed_ends_in_advice(
        self, mongod_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ensure_mongod, "install_binary", lambda: None)
        with pytest.raises(SystemExit, match="set FIFTYONE_DATABASE_URI"):
            ensure_mongod.main()

    def test_fiftyone_is_not_imported(self) -> None:
        code = "import sys; from scripts.ensure_mongod import mongod_path; mongod_path(); "
        code += "sys.exit('fiftyone' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


class TestIsolation:
    @needs_own_mongod
    def test_the_users_database_and_settings_are_left_out(self, tmp_path: Path) -> None:
        users = {
            "PATH": "/usr/bin",
            "FIFTYONE_DATABASE_URI": "mongodb://precious.example.org",
            "FIFTYONE_DATABASE_NAME": "precious",
            "FIFTYONE_DATABASE_DIR": "/home/user/precious",
            "FIFTYONE_PLUGINS_DIR": "/home/user/plugins",
            "FIFTYONE_DEFAULT_BATCH_SIZE": "1",
        }
        ours = isolated(users, tmp_path)
        assert ours["PATH"] == users["PATH"]
        assert ours["FIFTYONE_DATABASE_URI"].startswith("mongodb://127.0.0.1:")
        assert "FIFTYONE_DEFAULT_BATCH_SIZE" not in ours
        assert not {"precious", "user"} & set("/".join(ours.values()).replace(".", "/").split("/"))

    def test_a_database_of_the_users_is_used_under_a_name_of_our_own_where_there_is_no_other(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("support.servers.runs", lambda mongod: False)
        users = {"FIFTYONE_DATABASE_URI": "mongodb://example.org", "FIFTYONE_DATABASE_NAME": "mine"}
        first, second = isolated(users, tmp_path), isolated(users, tmp_path)
        assert first["FIFTYONE_DATABASE_URI"] == users["FIFTYONE_DATABASE_URI"]
        names = {env["FIFTYONE_DATABASE_NAME"] for env in (users, first, second)}
        assert len(names) == 3

    def test_fiftyone_sees_the_tests_surroundings(self, mongod: str) -> None:
        import fiftyone as fo

        assert fo.config.database_uri == mongod
        assert fo.config.database_name.startswith("alcore-tests-")
        assert fo.config.plugins_dir == os.environ["FIFTYONE_PLUGINS_DIR"]
        home = Path(os.environ["FIFTYONE_CONFIG_PATH"]).parent
        for folder in (fo.config.default_dataset_dir, fo.config.model_zoo_dir):
            assert home in Path(folder).parents
        dataset = fo.Dataset()
        assert dataset.name in fo.list_datasets()
        dataset.delete()


class TestEnsureLabelStudio:
    @pytest.fixture(autouse=True)
    def cache(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ALCORE_TESTS_CACHE", str(tmp_path / "cache"))

    def test_nothing_is_installed_where_it_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ensure_label_studio, "install", pytest.fail)
        ensure_label_studio.home().mkdir(parents=True)
        ensure_label_studio.empty_database().touch()
        ensure_label_studio.main()

    def test_a_server_that_cannot_be_installed_is_a_sentence(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail() -> None:
            raise subprocess.CalledProcessError(1, "pip")

        monkeypatch.setattr(ensure_label_studio, "install", fail)
        with pytest.raises(SystemExit, match="Label Studio could not be installed"):
            ensure_label_studio.main()
