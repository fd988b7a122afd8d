//! Abrir, vender, repor, recusar.

use super::*;

#[test]
fn o_que_se_firmou_esta_la_quando_se_abre_de_novo() {
    let (_pasta, caminho) = pasta();
    let mut livro = Livro::abrir(&caminho, Some(10)).unwrap();
    assert_eq!(livro.contas(), Contas { inicial: 10, repostas: 0, vendidas: 0 });
    vender(&mut livro, 2);
    vender(&mut livro, 1);
    drop(livro);
    // Com o mesmo estoque, ou sem dizer nenhum.
    for estoque in [Some(10), None] {
        let contas = Livro::abrir(&caminho, estoque).unwrap().contas();
        assert_eq!((contas.vendidas, contas.restantes()), (3, 7));
        assert_eq!(contas.to_string(), "3 de 10 vendidas");
    }
}

#[test]
fn sem_dizer_o_estoque_um_livro_novo_tem_o_da_atividade() {
    let (_pasta, caminho) = pasta();
    assert_eq!(Livro::abrir(&caminho, None).unwrap().contas().inicial, 10);
}

#[test]
fn repor_fica_anotado_e_o_livro_continua_a_fechar() {
    let (_pasta, caminho) = pasta();
    vender(&mut Livro::abrir(&caminho, Some(3)).unwrap(), 3);
    let contas = Livro::repor(&caminho, 5).unwrap();
    assert_eq!(contas, Contas { inicial: 3, repostas: 5, vendidas: 3 });
    let mut livro = Livro::abrir(&caminho, Some(3)).unwrap();
    vender(&mut livro, 5);
    assert_eq!(livro.contas().restantes(), 0);
    drop(livro);
    assert_eq!(extrato(&caminho, Forma::Tabela).1.dano, None);
}

#[test]
fn repor_pede_um_livro_que_exista_e_uma_soma_que_caiba() {
    let (_pasta, caminho) = pasta();
    let erro = Livro::repor(&caminho, 5).unwrap_err().to_string();
    assert!(erro.contains("não existe") && !caminho.exists(), "{erro}");
    let maximo = i64::MAX as u64;
    let erro = Livro::abrir(&caminho, Some(maximo + 1)).unwrap_err().to_string();
    assert!(erro.contains("não conta mais de 9223372036854775807"), "{erro}");
    drop(Livro::abrir(&caminho, Some(maximo)).unwrap());
    for unidades in [1, u64::MAX] {
        let erro = Livro::repor(&caminho, unidades).unwrap_err().to_string();
        assert!(erro.contains("não conta mais de"), "{erro}");
    }
}

#[test]
fn um_livro_aberto_nao_se_abre_de_novo_mas_se_le() {
    let (_pasta, caminho) = pasta();
    let mut livro = Livro::abrir(&caminho, None).unwrap();
    vender(&mut livro, 1);
    assert!(nao_abre(&caminho, None).contains("outro servidor"));
    let erro = Livro::repor(&caminho, 1).unwrap_err().to_string();
    assert!(erro.contains("outro servidor"), "{erro}");
    assert_eq!(extrato(&caminho, Forma::Tabela).1.contas.vendidas, 1);
    // O programa de outra pessoa também lê, e não atrapalha quem vende.
    let outro = Connection::open(&caminho).unwrap();
    let contar =
        || -> u64 {
            outro
                .query_row("SELECT count(*) FROM vendas", [], |linha| {
                    Ok(linha.get::<_, i64>(0)? as u64)
                })
                .unwrap()
        };
    assert_eq!(contar(), 1);
    vender(&mut livro, 2);
    assert_eq!(contar(), 3);
}

#[test]
fn abrir_com_outro_estoque_diz_o_que_fazer_e_nao_muda_nada() {
    let (_pasta, caminho) = pasta();
    livro_com_historia(&caminho);
    let antes = fs::read(&caminho).unwrap();
    let erro = nao_abre(&caminho, Some(20));
    for pista in ["com 10", "com 20", "--estoque", "--repor"] {
        assert!(erro.contains(pista), "{erro}");
    }
    assert_eq!(fs::read(&caminho).unwrap(), antes);
}

#[test]
fn o_que_nao_e_um_livro_fica_como_estava() {
    let (pasta, caminho) = pasta();
    let alheio = pasta.path().join("alheio.db");
    Connection::open(&alheio).unwrap().execute_batch("CREATE TABLE contas (x)").unwrap();
    let alheio = fs::read(alheio).unwrap();
    let zeros = [0; 4096];
    for conteudo in [b"oi\n", &alheio[..], &alheio[..70], b"SQLite format 3\0", &zeros] {
        fs::write(&caminho, conteudo).unwrap();
        assert!(nao_abre(&caminho, None).contains("não é um livro"), "{}", conteudo.len());
        assert_eq!(fs::read(&caminho).unwrap(), conteudo);
        assert!(matches!(extrair(&caminho, Forma::Csv, &mut Vec::new()), Err(Falha::Livro(_))));
    }
    assert_eq!(fs::read_dir(pasta.path()).unwrap().count(), 2, "deixou um arquivo ao lado");
    assert!(nao_abre(pasta.path(), None).contains("é um diretório"));
}

#[test]
fn ler_um_livro_parado_ou_recusar_um_nao_deixa_nada_ao_lado() {
    let (_pasta, caminho) = pasta();
    livro_com_historia(&caminho);
    for forma in [Forma::Tabela, Forma::Csv, Forma::Json] {
        extrato(&caminho, forma);
        assert!(esta_so(&caminho), "{forma:?}");
    }
    nao_abre(&caminho, Some(20));
    assert!(esta_so(&caminho));
}

#[test]
fn um_extrato_que_ninguem_le_nao_segura_o_livro_e_mostra_um_instante() {
    /// A cada escrita do extrato, vende uma unidade.
    struct Vendedor(PathBuf, u64, Vec<u8>);
    impl Write for Vendedor {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            vender(&mut Livro::abrir(&self.0, None).unwrap(), 1);
            self.1 += 1;
            self.2.extend(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (_pasta, caminho) = pasta();
    livro_com_historia(&caminho);
    Livro::repor(&caminho, 1000).unwrap();
    let (antes, _) = extrato(&caminho, Forma::Tabela);
    let mut vendedor = Vendedor(caminho.clone(), 0, Vec::new());
    extrair(&caminho, Forma::Tabela, &mut vendedor).unwrap_or_else(|falha| panic!("{falha:?}"));
    assert!(vendedor.1 > 10);
    assert_eq!(String::from_utf8(vendedor.2).unwrap(), antes);
    assert_eq!(extrato(&caminho, Forma::Csv).1.contas.vendidas, 7 + vendedor.1);
}

#[test]
fn um_extrato_de_muitos_pedacos_nao_pula_nem_repete_venda() {
    let (_pasta, caminho) = pasta();
    vender(&mut Livro::abrir(&caminho, Some(40_000)).unwrap(), 30_001);
    let (csv, veredito) = extrato(&caminho, Forma::Csv);
    assert_eq!(veredito.contas.vendidas, 30_001);
    let mut planilha = csv::Reader::from_reader(csv.as_bytes());
    let numeros = planilha.records().map(|linha| linha.unwrap()[0].parse::<u64>().unwrap());
    assert!(numeros.eq(1..=30_001));
}

#[test]
fn por_um_atalho_o_livro_e_o_mesmo() {
    let (pasta, caminho) = pasta();
    let outra = tempfile::tempdir().unwrap();
    let atalho = outra.path().join("atalho.db");
    std::os::unix::fs::symlink(&caminho, &atalho).unwrap();
    let mut livro = Livro::abrir(&caminho, Some(10)).unwrap();
    vender(&mut livro, 3);
    // Como depois de uma queda: o que se vendeu está só no WAL, ao lado do original.
    for sufixo in ["", "-wal"] {
        let de = pasta.path().join(format!("vendas.db{sufixo}"));
        fs::copy(&de, pasta.path().join(format!("queda.db{sufixo}"))).unwrap();
    }
    drop(livro);
    let atalho_da_queda = outra.path().join("queda.db");
    std::os::unix::fs::symlink(pasta.path().join("queda.db"), &atalho_da_queda).unwrap();
    assert_eq!(extrato(&atalho_da_queda, Forma::Csv).1.contas.vendidas, 3);
    assert_eq!(Livro::abrir(&atalho_da_queda, None).unwrap().contas().vendidas, 3);
    assert_eq!(Livro::abrir(&atalho, Some(10)).unwrap().contas().vendidas, 3);
    assert_eq!(fs::read_dir(outra.path()).unwrap().count(), 2, "deixou algo ao lado do atalho");
}

#[test]
fn um_livro_vazio_nao_apaga_o_wal_de_ninguem() {
    let (pasta, caminho) = pasta();
    let mut livro = Livro::abrir(&caminho, Some(10)).unwrap();
    vender(&mut livro, 3);
    // Alguém tira o livro do lugar com o servidor aberto, e abre outro ali.
    let ontem = pasta.path().join("ontem.db");
    fs::rename(&caminho, &ontem).unwrap();
    let wal = pasta.path().join("vendas.db-wal");
    let antes = fs::read(&wal).unwrap();
    assert!(nao_abre(&caminho, None).contains("há vendas em um -wal"));
    assert_eq!(fs::read(&wal).unwrap(), antes);
    assert!(!caminho.exists());
    // Nem que ali haja um arquivo, vazio.
    fs::write(&caminho, b"").unwrap();
    assert!(nao_abre(&caminho, None).contains("há vendas em um -wal"));
    assert_eq!((fs::read(&wal).unwrap(), fs::read(&caminho).unwrap()), (antes, Vec::new()));
}

#[test]
fn ao_fechar_um_wal_grande_fica_e_a_proxima_abertura_o_recolhe() {
    let (_pasta, caminho) = pasta();
    let wal = PathBuf::from(format!("{}-wal", caminho.display()));
    let bytes = || wal.metadata().map_or(0, |dele| dele.len());
    let mut livro = Livro::abrir(&caminho, Some(10_000_000)).unwrap();
    // Quem lê segura o WAL, que cresce; e sai antes de se fechar.
    let leitor = Connection::open(&caminho).unwrap();
    leitor.execute_batch("BEGIN; SELECT count(*) FROM estoque").unwrap();
    while bytes() < 34 << 20 {
        vender(&mut livro, 20_000);
    }
    drop(leitor);
    let grande = bytes();
    let contas = livro.fechar().unwrap();
    assert_eq!(bytes(), grande, "passou o WAL a limpo");
    let dito = WalQueFicou::de(&caminho).unwrap().to_string();
    assert!(dito.contains("MiB para ele demoraria"), "{dito}");
    // Lê-se como depois de uma queda; e, aberto, é o mesmo, com o WAL recolhido.
    let veredito = extrato(&caminho, Forma::Resumo).1;
    assert_eq!((veredito.contas, veredito.dano), (contas, None));
    let livro = Livro::abrir(&caminho, None).unwrap();
    assert_eq!(livro.contas(), contas);
    assert!(bytes() < 1 << 20, "{}", bytes());
    livro.fechar().unwrap();
    assert!(WalQueFicou::de(&caminho).is_none());
    assert!(esta_so(&caminho));
}
