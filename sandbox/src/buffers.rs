//! The limit of `ArrayBuffer`s, whose memory is outside the heap.
#![expect(unsafe_code, reason = "V8 takes an allocator as a table of C functions")]

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc};
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// How much one isolate may use, and uses.
#[derive(Debug)]
pub(crate) struct Budget {
    used: AtomicUsize,
    max: usize,
    was_refused: AtomicBool,
}

impl Budget {
    /// A budget of `max` bytes.
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { used: AtomicUsize::new(0), max, was_refused: AtomicBool::new(false) })
    }

    /// The allocator that keeps to this budget.
    pub(crate) fn allocator(self: &Arc<Self>) -> v8::UniqueRef<v8::Allocator> {
        // SAFETY: the table's functions are made for a `Budget`, and its `drop` gives this reference back.
        unsafe { v8::new_rust_allocator(Arc::into_raw(Arc::clone(self)), &TABLE) }
    }

    /// Whether anything was refused since the last [`forget_refusals`](Self::forget_refusals).
    pub(crate) fn was_refused(&self) -> bool {
        self.was_refused.load(Ordering::Relaxed)
    }

    /// Begins anew for the next script.
    pub(crate) fn forget_refusals(&self) {
        self.was_refused.store(false, Ordering::Relaxed);
    }

    fn take(&self, bytes: usize) -> bool {
        let taken = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(bytes).filter(|total| *total <= self.max)
        });
        self.was_refused.fetch_or(taken.is_err(), Ordering::Relaxed);
        taken.is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

static TABLE: v8::RustAllocatorVtable<Budget> = v8::RustAllocatorVtable {
    allocate: allocate_zeroed,
    allocate_uninitialized,
    free,
    drop: drop_budget,
};

/// The layout of a buffer; at least one byte, because there is no memory of size zero.
fn layout(bytes: usize) -> Option<Layout> {
    Layout::from_size_align(bytes.max(1), align_of::<u128>()).ok()
}

fn within(budget: &Budget, bytes: usize, get: impl FnOnce(Layout) -> *mut u8) -> *mut c_void {
    let Some(layout) = layout(bytes) else { return null_mut() };
    if !budget.take(bytes) {
        return null_mut();
    }
    let memory = get(layout);
    if memory.is_null() {
        budget.give_back(bytes);
    }
    memory.cast()
}

unsafe extern "C" fn allocate_zeroed(budget: &Budget, bytes: usize) -> *mut c_void {
    // SAFETY: the layout's size is never zero.
    within(budget, bytes, |layout| unsafe { alloc_zeroed(layout) })
}

unsafe extern "C" fn allocate_uninitialized(budget: &Budget, bytes: usize) -> *mut c_void {
    // SAFETY: the layout's size is never zero.
    within(budget, bytes, |layout| unsafe { alloc(layout) })
}

unsafe extern "C" fn free(budget: &Budget, memory: *mut c_void, bytes: usize) {
    let Some(layout) = layout(bytes) else { return };
    // SAFETY: V8 gives back what one of the two functions above gave it, once and with the same size.
    unsafe { dealloc(memory.cast(), layout) };
    budget.give_back(bytes);
}

unsafe extern "C" fn drop_budget(budget: *const Budget) {
    // SAFETY: `budget` comes from the `Arc::into_raw` of `allocator`, and V8 drops its allocator once.
    drop(unsafe { Arc::from_raw(budget) });
}
