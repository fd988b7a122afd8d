//! Quem manda linhas o mais depressa que pode, e lê tudo o que ouve: nada de errado, só pressa. O honesto
//! espera a vez dele atrás de todos, e é a espera que se mede.

use super::*;

/// Uma leitura cheia do servidor, das linhas mais curtas que têm resposta.
const LINHAS: usize = 2048;

/// O que cada linha vale: a resposta mais longa a um erro.
const ERRO: &[u8] = b"ERRO: Comando desconhecido. Use CONSULTAR, COMPRAR, AJUDA ou SAIR\n";

/// Quem tem pressa: o que falta mandar da rajada, e quanto ouviu.
struct Apressado {
    fluxo: TcpStream,
    faltam: usize,
    ouviu: usize,
}

impl Apressado {
    fn conectar(endereco: SocketAddr) -> Self {
        Apressado { fluxo: sem_bloqueio(endereco), faltam: 0, ouviu: 0 }
    }

    /// Manda e ouve o que der; `recomeca` se, acabando uma rajada, manda outra. Diz se ainda há o que ouvir.
    fn andar(&mut self, rajada: &[u8], rascunho: &mut [u8], recomeca: bool) -> bool {
        if self.faltam == 0 && self.ouviu == 0 && recomeca {
            (self.faltam, self.ouviu) = (rajada.len(), LINHAS * ERRO.len());
        }
        if self.faltam > 0 {
            match tentativa(self.fluxo.write(&rajada[rajada.len() - self.faltam..])) {
                Tentativa::Andou(n) => self.faltam -= n,
                Tentativa::Esperaria => {}
                outra => panic!("quem tem pressa viu {outra:?}"),
            }
        }
        match tentativa(self.fluxo.read(rascunho)) {
            Tentativa::Andou(n) => self.ouviu -= n,
            Tentativa::Esperaria => {}
            outra => panic!("quem tem pressa viu {outra:?}"),
        }
        self.faltam > 0 || self.ouviu > 0
    }
}

/// Põe `clientes` a mandar sem parar por este `tempo`, e ouve até o fim o que falta ouvir.
fn pressa(clientes: usize, tempo: Duration) {
    let prova = Prova::diante_de(Servidor::abrir(&["--silencioso"]), PAUSA);
    let mut apressados: Vec<_> =
        (0..clientes).map(|_| Apressado::conectar(prova.endereco())).collect();
    let (rajada, mut rascunho) = ("x\n".repeat(LINHAS), vec![0; 256 * 1024]);
    let fim = Instant::now() + tempo;
    loop {
        let recomeca = Instant::now() < fim;
        let andam = |a: &mut Apressado| a.andar(rajada.as_bytes(), &mut rascunho, recomeca);
        let andaram = apressados.iter_mut().map(andam).filter(|anda| *anda).count();
        if andaram == 0 && !recomeca {
            break;
        }
    }
    drop(apressados);
    let fim = prova.concluir();
    let medido = format!("{clientes} clientes, {} linhas", fim.comandos());
    assert_eq!(fim.comandos() % LINHAS as u64, 0, "uma linha ficou sem resposta");
    fim.relatar("quem tem pressa", medido);
}

#[test]
fn quem_manda_sem_parar_nao_faz_os_outros_esperar_a_rajada_toda() {
    pressa(200, Duration::from_secs(quantas(2, 10) as u64));
}

#[test]
fn nem_quando_sao_muitos() {
    pressa(quantas(500, 2000), Duration::from_secs(quantas(2, 10) as u64));
}
