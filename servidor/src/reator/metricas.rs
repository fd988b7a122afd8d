//! Quem atende, dentro do laço, a porta das [métricas](crate::metricas).
//!
//! Depois do turno e com pouco: tantos lugares, tantas conexões novas por turno, e os números escritos uma vez para
//! todos os que os pedem no mesmo turno. Quem não cabe espera na fila do sistema.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::time::Instant;

use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use slab::Slab;

use super::Aceite;
use crate::balcao::Balcao;
use crate::estoque::Estoque;
use crate::metricas::{Conversa, Guardado, Medidas, Medido, Numeros, Pedido, escrever};
use crate::porta::Porta;
use crate::registro::Registro;

/// Quantos leem ao mesmo tempo.
pub(super) const LUGARES: usize = 32;

/// Quantos entram por turno.
const ACEITES_POR_TURNO: usize = 8;

/// Quantos o sistema guarda à espera.
const FILA_DE_ESPERA: i32 = 1024;

/// A porta das métricas, quem ali conversa, e o que se mede por haver quem leia.
pub(super) struct Metricas {
    escuta: TcpListener,
    endereco: SocketAddr,
    aceite: Aceite,
    conversas: Slab<Posto>,
    pub(super) medidas: Medidas,
}

/// Um lugar, e se há o que fazer nele.
struct Posto {
    conversa: Conversa<TcpStream>,
    pronta: bool,
}

impl Metricas {
    /// O token de quem escuta; os de quem conversa são os [`LUGARES`] abaixo dele.
    pub(super) const ESCUTA: usize = usize::MAX - 4;
    pub(super) const ULTIMA: usize = Self::ESCUTA - LUGARES;

    pub(super) fn abrir(reservada: Porta, epoll: &Registry) -> io::Result<Self> {
        reservada.socket.listen(FILA_DE_ESPERA)?;
        let mut escuta = TcpListener::from_std(reservada.socket.into());
        let endereco = escuta.local_addr()?;
        epoll.register(&mut escuta, Token(Self::ESCUTA), Interest::READABLE)?;
        let conversas = Slab::with_capacity(LUGARES);
        Ok(Metricas {
            escuta,
            endereco,
            aceite: Aceite::Espera,
            conversas,
            medidas: Medidas::default(),
        })
    }

    pub(super) fn endereco(&self) -> SocketAddr {
        self.endereco
    }

    /// Um evento disse que há o que fazer, à porta ou em um lugar.
    pub(super) fn marcar(&mut self, token: usize) {
        if token == Self::ESCUTA {
            self.aceite = Aceite::Agora;
        } else if let Some(posto) = self.conversas.get_mut(Self::ESCUTA - 1 - token) {
            posto.pronta = true;
        }
    }

    /// Ficou alguém à porta, e há lugar?
    pub(super) fn tem_trabalho(&self) -> bool {
        self.aceite == Aceite::Agora && self.conversas.len() < LUGARES
    }

    /// Quando olhar de novo, ainda que nada aconteça.
    pub(super) fn prazo(&self) -> Option<Instant> {
        let conversas = self.conversas.iter().map(|(_, posto)| posto.conversa.ate());
        conversas.chain(self.aceite.prazo()).min()
    }

    /// Quem pediu ouve os números de agora, que só se escrevem se alguém os pediu.
    pub(super) fn atender(
        &mut self,
        agora: Instant,
        epoll: &Registry,
        balcao: &Balcao<TcpStream>,
        registro: &Registro,
        guardado: Guardado,
    ) {
        if self.aceite.vai_tentar(agora) {
            self.aceitar(agora, epoll);
        }
        let (mut texto, medidas) = (None, &self.medidas);
        let numeros = || escrever(&reunir(balcao, registro, guardado, medidas));
        self.conversas.retain(|_, Posto { conversa, pronta }| {
            if std::mem::take(pronta) {
                if let Some(pedido) = conversa.ler() {
                    let texto = match pedido {
                        Pedido::Numeros => texto.get_or_insert_with(numeros).as_str(),
                        _ => "",
                    };
                    conversa.responder(pedido, texto);
                }
                conversa.escrever(|fluxo| {
                    // Se o outro lado já se foi, não há o que fechar.
                    let _ = fluxo.shutdown(Shutdown::Write);
                });
            }
            !conversa.acabou(agora)
        });
    }

    fn aceitar(&mut self, agora: Instant, epoll: &Registry) {
        let cabem = (LUGARES - self.conversas.len()).min(ACEITES_POR_TURNO);
        let (escuta, conversas) = (&self.escuta, &mut self.conversas);
        self.aceite = Aceite::aceitar(cabem, agora, || {
            let (mut fluxo, _) = escuta.accept()?;
            let token = Token(Self::ESCUTA - 1 - conversas.vacant_key());
            // Sem lugar no epoll não há como atender: a conexão fecha aqui.
            if epoll.register(&mut fluxo, token, Interest::READABLE | Interest::WRITABLE).is_ok() {
                conversas.insert(Posto { conversa: Conversa::nova(fluxo, agora), pronta: true });
            }
            Ok(())
        });
    }
}

fn reunir<'a>(
    balcao: &'a Balcao<TcpStream>,
    registro: &Registro,
    guardado: Guardado,
    medidas: &'a Medidas,
) -> Numeros<'a> {
    Numeros {
        contas: balcao.contas(),
        movimento: balcao.movimento(),
        ativas: balcao.ativas(),
        guardados: balcao.guardados(),
        limites: balcao.limites(),
        loja: balcao.loja(),
        linhas_perdidas: registro.perdidas(),
        guardado,
        medidas,
    }
}

/// O turno; se há métricas, medido. Sem elas, ninguém olha o relógio.
pub(super) fn girar<E: Estoque>(
    balcao: &mut Balcao<TcpStream>,
    agora: Instant,
    registro: &mut Registro,
    estoque: &mut E,
    medidas: Option<&mut Medidas>,
) -> Result<(), E::Pane> {
    let Some(medidas) = medidas else { return balcao.turno(agora, registro, estoque) };
    let (antes, pedidos_antes) = (Instant::now(), balcao.movimento().pedidos());
    balcao.turno(agora, registro, &mut Medido { estoque, medidas })?;
    medidas.turnos.anotar_duracao(antes.elapsed());
    let atendidos = balcao.movimento().pedidos() - pedidos_antes;
    if atendidos > 0 {
        medidas.lotes.anotar(atendidos);
    }
    Ok(())
}
