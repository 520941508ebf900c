"""How llama.cpp is configured before it is compiled: by set-up for us, by benchmarks for the peer with more parts."""

from __future__ import annotations

from pathlib import Path

LDTILECFG = Path(__file__).resolve().with_name("ldtilecfg.h")
# llama.cpp without what is not used: no server, tools, examples, tests, common library, HTTPS.
LLAMA_CMAKE = (
    "-DCMAKE_BUILD_TYPE=Release",
    *(f"-DCMAKE_{language}_FLAGS=-include {LDTILECFG}" for language in ("C", "CXX")),
    "-DBUILD_SHARED_LIBS=ON",
    "-DCMAKE_BUILD_WITH_INSTALL_RPATH=ON",
    "-DCMAKE_INSTALL_RPATH=$ORIGIN",
    *(f"-DLLAMA_BUILD_{part}=OFF" for part in ("COMMON", "TOOLS", "SERVER", "EXAMPLES", "TESTS", "APP", "MTMD")),
    "-DLLAMA_OPENSSL=OFF",
)
