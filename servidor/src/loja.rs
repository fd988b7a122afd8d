//! O estoque: o estado compartilhado da atividade (§3.1).
//!
//! Pura: não conhece socket, relógio nem thread. Só há uma `Loja`, com um só dono, e vender exige
//! `&mut Loja`; o compilador garante que ninguém mais olha para o estoque entre o teste e o
//! desconto. É a seção crítica do enunciado, sem `Lock` porque não há com quem disputar.

use std::net::SocketAddr;

use protocolo::{Comando, Id, Resposta, Seguidas};

use crate::pedidos::{PEDIDOS_LEMBRADOS, Pedidos};

/// Uma unidade vendida, ainda não anunciada.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Venda {
    /// Quem comprou.
    pub endereco: SocketAddr,
    /// Unidades que sobraram depois desta.
    pub restante: u64,
}

/// O estoque e a conta do que se fez com ele.
#[derive(Debug)]
pub struct Loja {
    estoque: u64,
    vendas: u64,
    recusas: u64,
    pedidos: Pedidos,
}

impl Loja {
    /// Uma loja com `estoque` unidades à venda.
    pub fn nova(estoque: u64) -> Self {
        Loja::que_lembra(PEDIDOS_LEMBRADOS, estoque)
    }

    /// Uma que se lembra só dos `pedidos` últimos pedidos numerados.
    pub fn que_lembra(pedidos: usize, estoque: u64) -> Self {
        Loja { estoque, vendas: 0, recusas: 0, pedidos: Pedidos::novos(pedidos) }
    }

    /// Executa um comando e dá a resposta do protocolo (§3.2).
    ///
    /// Um PEDIDO repetido tem a resposta da primeira vez, e não vende nem recusa nada.
    pub fn atender(&mut self, comando: &Comando) -> Resposta {
        match comando {
            Comando::Consultar => Resposta::Estoque(self.estoque),
            Comando::Comprar => self.vender(1).primeira(),
            Comando::Pedido(id) => self.vender_uma_vez(id),
            Comando::PedidoInvalido(_) => Resposta::PedidoInvalido,
            Comando::Ajuda => Resposta::Ajuda,
            Comando::Sair => Resposta::Despedida,
            Comando::Http(_) | Comando::Tls => Resposta::OutroProtocolo,
            Comando::LinhaLonga => Resposta::LinhaLonga,
            Comando::Desconhecido(_) => Resposta::Desconhecido,
        }
    }

    /// Executa um comando pedido tantas vezes seguidas, ou as primeiras delas: as compras param na que esgota o
    /// estoque, para que se avise antes das outras.
    pub fn atender_seguidos(&mut self, comando: &Comando, vezes: usize) -> Seguidas {
        match comando {
            Comando::Comprar => self.vender(vezes),
            Comando::Pedido(_) => Seguidas::iguais(self.atender(comando), 1),
            _ => Seguidas::iguais(self.atender(comando), vezes),
        }
    }

    fn vender(&mut self, pedidas: usize) -> Seguidas {
        if self.estoque == 0 {
            self.recusas += pedidas as u64;
            return Seguidas::iguais(Resposta::Esgotado, pedidas);
        }
        let compras = Seguidas::compras(self.estoque, pedidas);
        self.estoque -= compras.vezes() as u64;
        self.vendas += compras.vezes() as u64;
        compras
    }

    fn vender_uma_vez(&mut self, id: &Id) -> Resposta {
        if let Some(resposta) = self.pedidos.resposta(id) {
            return resposta;
        }
        let resposta = self.vender(1).primeira();
        self.pedidos.lembrar(id.clone(), resposta);
        resposta
    }

    /// Este pedido já tem resposta?
    pub fn conhece(&self, id: &Id) -> bool {
        self.pedidos.resposta(id).is_some()
    }

    /// Quem guarda o estoque diz o que se respondeu a este pedido.
    pub fn lembrar(&mut self, id: Id, resposta: Resposta) {
        self.pedidos.lembrar(id, resposta);
    }

    /// Dos pedidos com resposta, ficam os últimos. Entre um lote e outro, e nunca no meio.
    pub fn esquecer_os_antigos(&mut self) {
        self.pedidos.esquecer_os_antigos();
    }

    /// Quem guarda o estoque diz que há isto à venda.
    pub fn ver(&mut self, estoque: u64) {
        self.estoque = estoque;
    }

    /// Unidades à venda.
    pub fn estoque(&self) -> u64 {
        self.estoque
    }

    /// Unidades vendidas desde que a loja abriu.
    pub fn vendas(&self) -> u64 {
        self.vendas
    }

    /// Compras recusadas por falta de estoque.
    pub fn recusas(&self) -> u64 {
        self.recusas
    }
}

#[cfg(test)]
mod testes {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn vende_ate_acabar_e_nunca_mais() {
        let mut loja = Loja::nova(2);
        assert_eq!(loja.atender(&Comando::Consultar), Resposta::Estoque(2));
        assert_eq!(loja.atender(&Comando::Comprar), Resposta::Compra { restante: 1 });
        assert_eq!(loja.atender(&Comando::Comprar), Resposta::Compra { restante: 0 });
        assert_eq!(loja.atender(&Comando::Comprar), Resposta::Esgotado);
        assert_eq!(loja.atender(&Comando::Consultar), Resposta::Estoque(0));
        assert_eq!((loja.vendas(), loja.recusas()), (2, 1));
    }

    fn pedido(id: &str) -> Comando {
        Comando::interpretar(format!("PEDIDO {id}").as_bytes())
    }

    #[test]
    fn o_mesmo_pedido_tem_sempre_a_mesma_resposta() {
        let mut loja = Loja::nova(2);
        assert_eq!(loja.atender(&pedido("a")), Resposta::Compra { restante: 1 });
        assert_eq!(loja.atender(&pedido("b")), Resposta::Compra { restante: 0 });
        assert_eq!(loja.atender(&pedido("c")), Resposta::Esgotado);
        loja.ver(5);
        for _ in 0..2 {
            assert_eq!(loja.atender(&pedido("a")), Resposta::Compra { restante: 1 });
            assert_eq!(loja.atender(&pedido("b")), Resposta::Compra { restante: 0 });
            assert_eq!(loja.atender(&pedido("c")), Resposta::Esgotado);
        }
        assert_eq!((loja.estoque(), loja.vendas(), loja.recusas()), (5, 2, 1));
    }

    #[test]
    fn so_os_ultimos_se_lembram_e_so_se_esquece_quando_se_pede() {
        let mut loja = Loja::que_lembra(2, 10);
        for id in ["a", "b", "c"] {
            loja.atender(&pedido(id));
        }
        assert_eq!(loja.atender(&pedido("a")), Resposta::Compra { restante: 9 });
        loja.esquecer_os_antigos();
        assert_eq!(loja.atender(&pedido("c")), Resposta::Compra { restante: 7 });
        assert_eq!(loja.atender(&pedido("b")), Resposta::Compra { restante: 8 });
        assert_eq!(loja.atender(&pedido("a")), Resposta::Compra { restante: 6 });
    }

    proptest! {
        #[test]
        fn vendido_mais_restante_e_sempre_o_inicial(
            inicial in prop_oneof![0u64..40, Just(u64::MAX)],
            compras in 0u64..80,
        ) {
            let mut loja = Loja::nova(inicial);
            for n in 0..compras {
                let esperada = match inicial.checked_sub(n + 1) {
                    Some(restante) => Resposta::Compra { restante },
                    None => Resposta::Esgotado,
                };
                prop_assert_eq!(loja.atender(&Comando::Comprar), esperada);
                prop_assert_eq!(loja.vendas() + loja.estoque(), inicial);
            }
            prop_assert_eq!(loja.recusas(), compras.saturating_sub(inicial));
        }
    }
}
