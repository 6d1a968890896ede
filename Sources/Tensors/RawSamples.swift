internal import CKernels

/// Samples as converters of analogue signals give them: whole numbers.
package enum RawSamples {
    /// The physical values `(sample − baseline) / gain`, to the nearest `Double` each.
    ///
    /// - Parameters:
    ///   - samples: In raw units.
    ///   - missing: What stands where there is no sample; gives NaN.
    ///   - baseline: The raw value of 0.
    ///   - gain: Raw units per physical unit, not 0.
    /// - Returns: In physical units, one a sample.
    package static func physical(
        _ samples: [Int32], missing: Int32, baseline: Double, gain: Double
    ) -> [Double] {
        unsafe [Double](unsafeUninitializedCapacity: samples.count) { target, count in
            count = samples.count
            guard let values = target.baseAddress else { return }
            unsafe samples.withUnsafeBufferPointer { source in
                guard let raw = source.baseAddress else { return }
                unsafe ck_physical_f64(source.count, raw, missing, baseline, gain, values)
            }
        }
    }
}
