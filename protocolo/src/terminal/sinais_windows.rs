//! O que no Windows faz as vezes dos sinais: Ctrl-C e Ctrl-Break em um console, e o console que fecha.

use std::io;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use super::{AoDesligar, MESMO_PEDIDO, abrir_thread, dizer};

/// Como em um Unix: o primeiro Ctrl-C (ou Ctrl-Break, ou o console que fecha) chama `parar`; o seguinte encerra o
/// programa na hora, com o código 130. Não há SIGHUP, e por isso `desligar` não conta.
///
/// # Errors
///
/// O sistema não deixou tratar o Ctrl-C.
pub fn ao_receberem_sinais(
    programa: &'static str,
    _desligar: AoDesligar,
    parar: impl FnOnce() + Send + 'static,
) -> io::Result<()> {
    let parar = Mutex::new((Some(parar), None::<Instant>));
    let ao_apertarem = move || {
        let Ok(mut estado) = parar.lock() else { return };
        match (estado.0.take(), estado.1) {
            (Some(parar), _) => {
                estado.1 = Some(Instant::now());
                parar();
                let avisar = move || {
                    thread::sleep(MESMO_PEDIDO);
                    dizer(format_args!("{programa}: encerrando; outro Ctrl-C encerra na hora"));
                };
                // Sem mais uma thread só se perde o aviso: a parada já foi pedida.
                let _ = abrir_thread("aviso", avisar);
            }
            (None, Some(primeiro)) if primeiro.elapsed() < MESMO_PEDIDO => {}
            (None, _) => std::process::exit(130),
        }
    };
    ctrlc::set_handler(ao_apertarem).map_err(|erro| match erro {
        ctrlc::Error::System(erro) => erro,
        outro => io::Error::other(outro),
    })
}

/// No Windows um arquivo grande demais já é só um erro.
///
/// # Errors
///
/// Nenhum.
pub fn nao_morrer_de_arquivo_grande() -> io::Result<()> {
    Ok(())
}
