//! Quem não lê ocupa memória do servidor, e há um teto para a de todos: `--memoria`.

use super::*;

use std::process::{Command, Stdio};

use testes::{ate_em, binario};

/// O espaço de endereços que se dá ao servidor, em KiB: 1 GiB.
const UM_GIB: u32 = 1024 * 1024;

/// O servidor com este tanto de memória, em KiB, dada pelo sistema.
fn com_memoria(kib: u32, opcoes: &[&str]) -> Servidor {
    let mut comando = Command::new("sh");
    comando
        .args(["-c", &format!("ulimit -v {kib}; exec \"$0\" \"$@\"")])
        .arg(binario("servidor"))
        .args(opcoes)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Servidor::de(comando)
}

/// Um que manda 16 KiB de linhas curtas, aos poucos se for preciso, e nunca lê.
struct Surdo {
    fluxo: TcpStream,
    faltam: usize,
}

impl Surdo {
    fn conectar(endereco: SocketAddr) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        // O menor caminho de volta que o sistema dá: o que não cabe nele fica no servidor.
        socket.set_recv_buffer_size(2048).unwrap();
        socket.connect(&endereco.into()).unwrap();
        socket.set_nonblocking(true).unwrap();
        Surdo { fluxo: socket.into(), faltam: 16 * 1024 }
    }

    /// Manda o que der; diz se ainda está lá e se andou.
    fn mandar(&mut self, linhas: &[u8]) -> Tentativa {
        let como = tentativa(self.fluxo.write(&linhas[..self.faltam.min(linhas.len())]));
        if let Tentativa::Andou(n) = como {
            self.faltam -= n;
        }
        como
    }
}

/// Põe tantos surdos diante do servidor, até que por um segundo nenhum ande, e os leva embora.
fn ensurdecer(prova: &Prova, quantos: usize) {
    let linhas = b"x\n".repeat(8 * 1024);
    let mut surdos: Vec<_> = (0..quantos).map(|_| Surdo::conectar(prova.endereco())).collect();
    let mut quietos = Instant::now();
    ate_em(Duration::from_secs(60), "os surdos mandarem tudo o que cabe", || {
        for surdo in surdos.iter_mut().filter(|surdo| surdo.faltam > 0) {
            match surdo.mandar(&linhas) {
                Tentativa::Andou(_) => quietos = Instant::now(),
                Tentativa::Esperaria => {}
                Tentativa::Fim | Tentativa::Quebrou => surdo.faltam = 0,
            }
        }
        (quietos.elapsed() > Duration::from_secs(1)).then_some(())
    });
}

#[test]
fn acima_do_teto_da_memoria_saem_os_surdos_e_o_honesto_nao_nota() {
    let prova = Prova::abrir(&["--memoria", "1MiB"]);
    ensurdecer(&prova, 400);
    let fim = prova.concluir();
    let fora = fim.no_registro("desconectou (memoria cheia)");
    assert!(fora > 100, "só {fora} saíram");
    assert!(fim.cresceu < 24 * MIB, "cresceu {} bytes", fim.cresceu);
    fim.relatar("quem nunca lê, com 1 MiB para todos", format!("400 surdos, {fora} fechados"));
}

#[test]
fn uma_multidao_de_surdos_cabe_em_um_gib() {
    for surdos in if quantas(0, 1) == 1 { vec![10_000, 19_000] } else { vec![2000] } {
        descritores_para(surdos as u64 + 500);
        let prova = Prova::diante_de(com_memoria(UM_GIB, &["--silencioso"]), PAUSA);
        ensurdecer(&prova, surdos);
        let fim = prova.concluir();
        let medido = format!("{surdos} surdos, {} linhas", fim.comandos());
        fim.relatar_ate(Duration::from_secs(5), "quem nunca lê, com 1 GiB", medido);
    }
}
