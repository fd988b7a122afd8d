//! O lote em voo: o que o balcão faz enquanto um estoque que responde depois não responde.
//!
//! As conexões de um lote por decidir *aguardam*: não se leem, não se despedem e não saem do slab, porque a
//! chave delas está no lote. O que não depende do estoque responde-se na hora. Com um estoque que responde na
//! hora, nada daqui acontece.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use protocolo::{Resposta, Seguidas};

use super::{Balcao, EmVoo, Pedido};
use crate::estoque::{Estoque, Noticia};
use crate::registro::Registro;

/// Quanto espera quem ainda não foi proposto, ou só consulta: depois ouve que nada foi vendido.
const PACIENCIA: Duration = Duration::from_secs(2);

/// Quanto espera quem tem uma compra em voo: depois a conexão fecha sem resposta, que não se sabe qual é.
const PACIENCIA_DO_COMPRADOR: Duration = Duration::from_secs(30);

impl<F: Read + Write> Balcao<F> {
    /// O que o estoque disse desde o último turno, e o que já não se espera mais que diga.
    pub(super) fn colher<E: Estoque>(
        &mut self,
        agora: Instant,
        registro: &mut Registro,
        estoque: &mut E,
    ) -> Result<(), E::Pane> {
        while let Some(noticia) = estoque.colher()? {
            match noticia {
                Noticia::Firme(firme) => self.pousar(agora, registro, firme.antes),
                Noticia::NaoValeu => {
                    if let Some(mut voo) = self.em_voo.take() {
                        self.desistir(agora, registro, &mut voo);
                    }
                }
                Noticia::SemDesfecho => {
                    if let Some(mut voo) = self.em_voo.take() {
                        self.sem_desfecho(agora, registro, &mut voo);
                    }
                }
                Noticia::Repetidos(respostas) => {
                    respostas.into_iter().for_each(|(id, dita)| self.loja.lembrar(id, dita));
                    self.repropor(agora, registro, estoque)?;
                }
                Noticia::Esgotou => {
                    self.loja.ver(0);
                    self.avisar(agora, registro);
                }
                Noticia::Alcance(alcance) => registro.alcance(alcance),
            }
        }
        self.perder_a_paciencia(agora, registro);
        Ok(())
    }

    /// O lote foi proposto, e a resposta vem depois.
    pub(super) fn decolar(&mut self, agora: Instant, registro: &mut Registro) {
        self.juntar(agora, registro);
        self.espera_desde = None;
        let lote = std::mem::take(&mut self.lote);
        let compras = self.compradores.drain(..).count() as u64;
        self.numerados.clear();
        self.em_voo = Some(EmVoo { lote, compras, desde: agora });
    }

    /// Quem entrou no lote passa a aguardar; o que não depende do estoque, nem de quem aguarda, responde-se já.
    pub(super) fn juntar(&mut self, agora: Instant, registro: &mut Registro) {
        let mut lote = std::mem::take(&mut self.lote);
        for pedido in lote.esvaziar() {
            let conexao = &mut self.postos[pedido.chave].conexao;
            if conexao.aguarda() || pedido.comando.usa_o_estoque() {
                conexao.aguardar(true);
                self.lote.juntar(pedido);
                continue;
            }
            let resposta = self.loja.atender(&pedido.comando);
            self.repetir(agora, registro, &pedido, resposta);
        }
        if !self.lote.vazio() {
            self.espera_desde.get_or_insert(agora);
        }
    }

    /// O lote em voo ficou firme. Se dele já se desistiu, falta só o que os outros devem ouvir.
    fn pousar(&mut self, agora: Instant, registro: &mut Registro, antes: u64) {
        let Some(mut voo) = self.em_voo.take() else { return };
        if voo.lote.vazio() {
            self.ver(antes, registro);
            self.loja.ver(antes.saturating_sub(voo.compras));
            if antes > 0 && voo.compras >= antes {
                self.avisar(agora, registro);
            }
            return;
        }
        self.soltar(&voo);
        self.decidir(agora, registro, &mut voo.lote, antes);
    }

    /// O lote em voo, de que se acaba de saber que uns pedidos já tinham resposta, vai outra vez, sem eles; o que se
    /// juntava à espera dele continua a esperar.
    fn repropor<E: Estoque>(
        &mut self,
        agora: Instant,
        registro: &mut Registro,
        estoque: &mut E,
    ) -> Result<(), E::Pane> {
        let Some(voo) = self.em_voo.take() else { return Ok(()) };
        let espera = std::mem::replace(&mut self.lote, voo.lote);
        let compradores = std::mem::take(&mut self.compradores);
        // Basta que não seja zero, para que o lote se reconheça outra vez.
        let pedidos = std::mem::replace(&mut self.pedidos, 1);
        let espera_desde = self.espera_desde.take();
        self.propor(agora, registro, estoque)?;
        (self.lote, self.compradores) = (espera, compradores);
        (self.pedidos, self.espera_desde) = (pedidos, espera_desde);
        if let Some(em_voo) = &mut self.em_voo {
            em_voo.desde = voo.desde;
        }
        Ok(())
    }

    fn soltar(&mut self, voo: &EmVoo) {
        for pedido in voo.lote.iter() {
            self.postos[pedido.chave].conexao.aguardar(false);
        }
    }

    /// Nada do lote valeu: quem queria o estoque ouve que ele está fora de alcance.
    fn desistir(&mut self, agora: Instant, registro: &mut Registro, voo: &mut EmVoo) {
        self.soltar(voo);
        for pedido in voo.lote.esvaziar() {
            self.responder_sem_o_estoque(agora, registro, &pedido);
        }
    }

    fn responder_sem_o_estoque(
        &mut self,
        agora: Instant,
        registro: &mut Registro,
        pedido: &Pedido,
    ) {
        let resposta = match pedido.comando.usa_o_estoque() {
            true => Resposta::ForaDeAlcance,
            false => self.loja.atender(&pedido.comando),
        };
        self.repetir(agora, registro, pedido, resposta);
    }

    /// A mesma resposta a cada vez que se pediu.
    fn repetir(
        &mut self,
        agora: Instant,
        registro: &mut Registro,
        pedido: &Pedido,
        resposta: Resposta,
    ) {
        let Pedido { chave, comando, vezes } = pedido;
        self.movimento.pediram(comando, *vezes);
        self.dar(agora, registro, *chave, comando, Seguidas::iguais(resposta, *vezes));
        self.filas.enfileirar(*chave, &mut self.postos[*chave]);
    }

    /// As compras do lote podem ter valido: quem comprava não ouve nada, e a conexão fecha.
    fn sem_desfecho(&mut self, agora: Instant, registro: &mut Registro, voo: &mut EmVoo) {
        self.soltar(voo);
        for pedido in voo.lote.esvaziar() {
            if pedido.comando.compra() {
                self.calar(registro, &pedido);
            } else {
                self.responder_sem_o_estoque(agora, registro, &pedido);
            }
        }
    }

    /// Nem o cliente nem o registro ouvem que nada foi vendido, que não se sabe.
    fn calar(&mut self, registro: &mut Registro, pedido: &Pedido) {
        let Pedido { chave, comando, vezes } = pedido;
        self.movimento.pediram(comando, *vezes);
        let posto = &mut self.postos[*chave];
        registro.sem_desfecho(posto.conexao.endereco(), comando, *vezes);
        posto.conexao.ficar_sem_desfecho();
        self.filas.enfileirar(*chave, posto);
    }

    fn perder_a_paciencia(&mut self, agora: Instant, registro: &mut Registro) {
        let passou = |desde: Instant, prazo: Duration| agora.duration_since(desde) >= prazo;
        if let Some(mut voo) = self.em_voo.take() {
            // O estoque ainda há de responder por ele: o lugar em voo fica ocupado, por um lote vazio.
            if voo.compras == 0 && passou(voo.desde, PACIENCIA) {
                self.desistir(agora, registro, &mut voo);
            } else if passou(voo.desde, PACIENCIA_DO_COMPRADOR) {
                self.sem_desfecho(agora, registro, &mut voo);
            }
            self.em_voo = Some(voo);
        }
        // O que se leu neste turno ainda não espera.
        if self.espera_desde.is_some_and(|desde| passou(desde, PACIENCIA)) {
            self.espera_desde = None;
            self.compradores.clear();
            self.pedidos = 0;
            let lote = std::mem::take(&mut self.lote);
            self.desistir(agora, registro, &mut EmVoo { lote, compras: 0, desde: agora });
        }
    }

    /// Quando a paciência de alguém acaba.
    pub(super) fn prazo_do_voo(&self) -> Option<Instant> {
        let voo = self.em_voo.as_ref().filter(|voo| !voo.lote.vazio()).map(|voo| {
            let prazo = if voo.compras == 0 { PACIENCIA } else { PACIENCIA_DO_COMPRADOR };
            voo.desde + prazo
        });
        let espera = self.espera_desde.map(|desde| desde + PACIENCIA);
        [voo, espera].into_iter().flatten().min()
    }
}
