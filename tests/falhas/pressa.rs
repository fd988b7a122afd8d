//! Quem manda linhas o mais depressa que pode, e lê tudo o que ouve: nada de errado, só pressa. O honesto
//! espera a vez dele atrás de todos, e é a espera que se mede.

use super::*;

/// Uma leitura cheia do servidor, das linhas mais curtas que têm resposta.
const LINHAS: usize = 2048;

/// O que cada linha vale: a resposta mais longa a um erro.
const ERRO: &[u8] = b"ERRO: Comando desconhecido. Use CONSULTAR, COMPRAR, PEDIDO, AJUDA ou SAIR\n";

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
    fim.relatar("pedir sem parar, lendo tudo", medido);
}

#[test]
fn quem_manda_sem_parar_nao_faz_os_outros_esperar_a_rajada_toda() {
    pressa(200, Duration::from_secs(quantas(2, 10) as u64));
}

#[test]
fn nem_quando_sao_muitos() {
    pressa(quantas(500, 2000), Duration::from_secs(quantas(2, 10) as u64));
}

/// Quem manda uma rajada e nunca lê a resposta.
fn surdo(endereco: SocketAddr, rajada: &[u8]) -> TcpStream {
    let fluxo = sem_bloqueio(endereco);
    tentativa((&fluxo).write(rajada));
    fluxo
}

#[test]
fn uma_multidao_que_ensurdece_de_uma_vez_nao_prende_os_outros() {
    let surdos = quantas(1000, 19_800);
    descritores_para(surdos as u64 + 100);
    let prova = Prova::diante_de(Servidor::abrir(&["--silencioso"]), PAUSA);
    let rajada = "x\n".repeat(4 * LINHAS);
    let multidao: Vec<_> =
        (0..surdos).map(|_| surdo(prova.endereco(), rajada.as_bytes())).collect();
    // O que couber a cada um já saiu, ou espera por ele: mais um pedido é respondido.
    let mut ultimo = prova.servidor.cliente();
    assert!(ultimo.pede("CONSULTAR").starts_with("Estoque atual: "));
    drop((multidao, ultimo));
    let fim = prova.concluir();
    let comandos = fim.comandos();
    // Cada um tem direito à sua vez, e o honesto espera a de todos: a meta é que nunca passe de 1,5 s.
    let folga = Duration::from_secs(5);
    let medido = format!("{surdos} clientes, {comandos} linhas");
    fim.relatar_ate(folga, "todos deixam de ler de uma vez", medido);
}
