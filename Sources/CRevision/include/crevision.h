#pragma once

/// The git revision that this was built from, "+changes" behind it where files differed from it;
/// empty where the build was not told (see ops/revision).
const char *crevision(void);

/// The compiler of the C parts, which comes with the Swift toolchain.
const char *ccompiler(void);
