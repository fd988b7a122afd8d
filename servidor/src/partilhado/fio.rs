//! As threads que esperam o etcd, para o laço não esperar: uma leva os pedidos, um de cada vez, e a outra observa
//! o que os outros servidores vendem. As duas acordam o laço, e mais nada: quem decide é a sessão.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use protocolo::terminal::abrir_thread;

use super::chaves::{BALANCO, Balanco, chave_do_caixa};
use super::etcd::{Par, Resposta, SemResposta, Transacao};
use super::gateway::Gateway;

/// Depois de um pedido sem resposta, quanto se espera para deixar fazer outro.
const ENTRE_TENTATIVAS: Duration = Duration::from_millis(50);

/// Acorda o laço.
pub type Acordar = Box<dyn Fn() + Send>;

/// O que a observação viu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visto {
    /// Nesta revisão vendeu-se a última unidade.
    Esgotou(u64),
    /// Nesta revisão outro processo tomou o nosso nome.
    Tomado,
}

/// Os dois lados de quem leva os pedidos.
#[derive(Debug)]
pub struct Fio {
    pedidos: Sender<Transacao>,
    respostas: Receiver<Result<Resposta, SemResposta>>,
    vistos: Receiver<Visto>,
}

impl Fio {
    /// Abre as duas threads. A observação começa no balanço desta revisão.
    ///
    /// # Errors
    ///
    /// O sistema não deu as threads.
    pub fn abrir(
        gateway: Gateway,
        observador: Observador,
        acordar: [Acordar; 2],
    ) -> io::Result<Self> {
        let (pedidos, a_fazer) = channel::<Transacao>();
        let (feitas, respostas) = channel();
        let (a_ver, vistos) = channel();
        let [acordar_o_laco, acordar_tambem] = acordar;
        let mut membro = gateway.clone();
        let levar = move || {
            for transacao in a_fazer {
                let resposta = membro.pedir(&transacao);
                if resposta.as_ref().is_err_and(SemResposta::em_duvida) {
                    thread::sleep(ENTRE_TENTATIVAS);
                }
                if feitas.send(resposta).is_err() {
                    return;
                }
                acordar_o_laco();
            }
        };
        abrir_thread("etcd", levar)?;
        let ver = move || observador.observar(gateway, &a_ver, &acordar_tambem);
        abrir_thread("observação", ver)?;
        Ok(Fio { pedidos, respostas, vistos })
    }

    /// Leva um pedido; a resposta vem em [`resposta`](Fio::resposta).
    pub fn levar(&self, transacao: Transacao) {
        // A thread só acaba com o programa.
        let _ = self.pedidos.send(transacao);
    }

    /// A resposta ao último pedido, se já veio.
    pub fn resposta(&self) -> Option<Result<Resposta, SemResposta>> {
        self.respostas.try_recv().ok()
    }

    /// O que a observação viu, se viu algo.
    pub fn visto(&self) -> Option<Visto> {
        self.vistos.try_recv().ok()
    }
}

/// Quem observa o balanço e nota quando ele chega a zero.
#[derive(Debug)]
pub struct Observador {
    /// O nosso nome.
    pub nome: String,
    /// O nosso processo.
    pub instancia: u64,
    /// O balanço até onde se viu.
    pub balanco: Balanco,
    /// A revisão até onde se viu.
    pub revisao: u64,
}

impl Observador {
    fn observar(mut self, mut gateway: Gateway, dizer: &Sender<Visto>, acordar: &Acordar) {
        loop {
            let (mut vivo, mut perdido) = (true, false);
            gateway.observar(BALANCO, self.revisao, |observado| {
                perdido = observado.acabou;
                vivo = observado.mudancas.iter().flat_map(|par| self.ver(par)).all(|visto| {
                    let ouviu = dizer.send(visto).is_ok();
                    acordar();
                    ouviu
                });
                vivo
            });
            // O que se queria ver pode ter sido apagado: recomeça-se do que há agora.
            if perdido && let Ok(agora) = gateway.pedir(&Transacao::leitura(BALANCO)) {
                let havia = self.balanco.a_venda();
                if let Ok(balanco) = Balanco::ler(&agora.pares) {
                    (self.balanco, self.revisao) = (balanco, agora.revisao);
                }
                if havia > 0 && self.balanco.a_venda() == 0 {
                    vivo &= dizer.send(Visto::Esgotou(self.revisao)).is_ok();
                    acordar();
                }
            }
            if !vivo {
                return;
            }
        }
    }

    /// Uma chave mudou.
    fn ver(&mut self, par: &Par) -> Option<Visto> {
        let havia = self.balanco.a_venda();
        // Uma chave estragada é a sessão que a acusa.
        let _ = self.balanco.mudar(par);
        self.revisao = self.revisao.max(par.escrita_em);
        let nosso = self.balanco.caixas.get(&self.nome);
        if par.chave == chave_do_caixa(&self.nome)
            && nosso.is_some_and(|caixa| caixa.instancia != self.instancia)
        {
            return Some(Visto::Tomado);
        }
        (havia > 0 && self.balanco.a_venda() == 0).then_some(Visto::Esgotou(par.escrita_em))
    }
}
