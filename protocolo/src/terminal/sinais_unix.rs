//! Os sinais de um Unix: Ctrl-C, o `kill` comum, o terminal que fecha.

use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

use super::{AoDesligar, MESMO_PEDIDO, abrir_thread, dizer};

/// Como [`ao_pedirem_parada`](super::ao_pedirem_parada), dizendo também o que fazer de um SIGHUP. Ele nunca é o segundo sinal: um
/// terminal que fecha costuma mandar mais de um.
///
/// # Errors
///
/// Os de [`ao_pedirem_parada`](super::ao_pedirem_parada).
pub fn ao_receberem_sinais(
    programa: &'static str,
    mut desligar: AoDesligar,
    parar: impl FnOnce() + Send + 'static,
) -> io::Result<()> {
    const PARADA: [i32; 2] = [SIGINT, SIGTERM];
    // Primeiro quem captura, depois quem encerra: nenhum sinal se perde entre um e outro.
    let mut sinais = Signals::new(PARADA)?;
    let sem_terminal = ignorado(SIGHUP) || !ha_terminal();
    let trata_o_hup = match desligar {
        AoDesligar::Morrer => false,
        AoDesligar::Parar => !ignorado(SIGHUP),
        AoDesligar::Chamar(_) => true,
    };
    if trata_o_hup {
        sinais.add_signal(SIGHUP)?;
    }
    let armado = Arc::new(AtomicBool::new(false));
    for sinal in PARADA {
        signal_hook::flag::register_conditional_shutdown(sinal, 130, Arc::clone(&armado))?;
    }
    let esperar = move || {
        for sinal in sinais.forever() {
            match &mut desligar {
                AoDesligar::Chamar(chamar)
                    if sinal == SIGHUP && (sem_terminal || ha_terminal()) =>
                {
                    chamar();
                }
                _ => break,
            }
        }
        parar();
        thread::sleep(MESMO_PEDIDO);
        armado.store(true, Ordering::Release);
        dizer(format_args!("{programa}: encerrando; outro Ctrl-C encerra na hora"));
    };
    abrir_thread("sinais", esperar)?;
    Ok(())
}

/// O programa tem um terminal, que não fechou (tty(4))?
fn ha_terminal() -> bool {
    fs::File::open("/dev/tty").is_ok()
}

/// Quem abriu o programa já mandou ignorar este sinal, como faz o `nohup`? Só o Linux o diz a quem não
/// quer mexer no sinal; onde não se sabe, não.
fn ignorado(sinal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mascara = status.lines().find_map(|linha| linha.strip_prefix("SigIgn:"));
    let mascara = mascara.and_then(|mascara| u64::from_str_radix(mascara.trim(), 16).ok());
    mascara.is_some_and(|mascara| mascara >> (sinal - 1) & 1 == 1)
}

/// Um arquivo que chega ao tamanho máximo (`ulimit -f`) passa a dar um erro a quem escreve, como um
/// disco cheio. Sem isto, é o programa inteiro que morre, por um sinal (SIGXFSZ) e sem uma palavra.
///
/// # Errors
///
/// O sistema não deixou tratar o sinal.
pub fn nao_morrer_de_arquivo_grande() -> io::Result<()> {
    // Capturar já basta: a escrita volta com o erro, e é ela quem conta.
    signal_hook::flag::register(SIGXFSZ, Arc::default()).map(drop)
}
