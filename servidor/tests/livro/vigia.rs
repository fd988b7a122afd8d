//! O que outros fazem aos arquivos, com o livro aberto ou depois de uma queda.

use super::*;

/// A explicação de por que a venda seguinte não se firma.
fn nao_firma(livro: &mut Livro) -> String {
    let endereco = SocketAddr::from(([192, 0, 2, 1], 4000));
    let restante = livro.contas().restantes() - 1;
    livro.firmar([Venda { endereco, restante }]).expect_err("firmou").to_string()
}

#[test]
fn quem_escreve_por_fora_faz_o_livro_parar() {
    let (_pasta, caminho) = pasta();
    let mut livro = Livro::abrir(&caminho, Some(10)).unwrap();
    vender(&mut livro, 2);
    // Ler não muda nada.
    let outro = Connection::open(&caminho).unwrap();
    outro.query_row("SELECT max(numero) FROM vendas", [], |linha| linha.get::<_, i64>(0)).unwrap();
    vender(&mut livro, 1);
    outro.execute("DELETE FROM vendas WHERE numero = 1", []).unwrap();
    let erro = nao_firma(&mut livro);
    assert!(erro.contains("mudado por outro programa"), "{erro}");
}

#[test]
fn quem_passa_o_wal_a_limpo_por_fora_nao_atrapalha() {
    for modo in ["PASSIVE", "FULL", "RESTART", "TRUNCATE"] {
        let (_pasta, caminho) = pasta();
        let mut livro = Livro::abrir(&caminho, Some(100)).unwrap();
        let outro = Connection::open(&caminho).unwrap();
        // Duas vezes, com vendas antes, entre elas e depois.
        for _ in 0..2 {
            vender(&mut livro, 3);
            outro
                .query_row(&format!("PRAGMA wal_checkpoint({modo})"), [], |linha| {
                    assert_eq!(linha.get::<_, i64>(0)?, 0, "{modo}: não passou");
                    Ok(())
                })
                .unwrap();
            // Tudo passou: agora, e só agora, o arquivo sozinho diz tudo.
            let (_outra, so_o_arquivo) = como_depois_de_uma_queda(&caminho, &[""]);
            let vendidas = livro.contas().vendidas;
            assert_eq!(Livro::abrir(&so_o_arquivo, None).unwrap().contas().vendidas, vendidas);
        }
        vender(&mut livro, 3);
        let (_outra, so_o_arquivo) = como_depois_de_uma_queda(&caminho, &[""]);
        assert!(nao_abre(&so_o_arquivo, None).contains("vendas.db-wal"), "{modo}");
        let (_outra, inteiro) = como_depois_de_uma_queda(&caminho, &["", "-wal"]);
        assert_eq!(Livro::abrir(&inteiro, None).unwrap().contas().vendidas, 9, "{modo}");
    }
}

#[test]
fn o_arquivo_sem_o_wal_ou_com_outro_e_recusado() {
    let (_pasta, caminho) = pasta();
    let mut livro = Livro::abrir(&caminho, Some(10)).unwrap();
    vender(&mut livro, 3);
    let (_outra, sozinho) = como_depois_de_uma_queda(&caminho, &[""]);
    let antes = fs::read(&sozinho).unwrap();
    let erro = nao_abre(&sozinho, None);
    assert!(erro.contains("vendas.db-wal") && erro.contains("traga-o de volta"), "{erro}");
    assert!(Livro::repor(&sozinho, 5).unwrap_err().to_string().contains("vendas.db-wal"));
    // O extrato mostra o que há, e diz que não é tudo.
    let (texto, veredito) = extrato(&sozinho, Forma::Tabela);
    assert!(veredito.dano.is_some_and(|dano| dano.contains("vendas.db-wal")), "{texto}");
    assert!(texto.contains("NÃO ESTÁ ÍNTEGRO"), "{texto}");
    assert_eq!(fs::read(&sozinho).unwrap(), antes);

    let ao_lado = |caminho: &Path| format!("{}-wal", caminho.display());
    // O WAL de outro livro, um cortado antes da primeira venda, um vazio.
    let (_terceira, outro) = pasta();
    let mut outro_livro = Livro::abrir(&outro, Some(10)).unwrap();
    vender(&mut outro_livro, 3);
    let inteiro = fs::read(ao_lado(&caminho)).unwrap();
    for wal in [&fs::read(ao_lado(&outro)).unwrap()[..], &[]] {
        fs::write(ao_lado(&sozinho), wal).unwrap();
        assert!(nao_abre(&sozinho, None).contains("vendas.db-wal"), "{} bytes", wal.len());
        assert_eq!(fs::read(&sozinho).unwrap(), antes);
    }
    // E com o dele, tudo volta.
    fs::write(ao_lado(&sozinho), inteiro).unwrap();
    assert_eq!(Livro::abrir(&sozinho, None).unwrap().contas().vendidas, 3);
}

#[test]
fn um_wal_encurtado_depois_de_uma_queda_e_recusado() {
    let (_pasta, caminho) = pasta();
    let mut livro = Livro::abrir(&caminho, Some(10_000)).unwrap();
    // O bastante para a marca ir adiante, e com ela quantas vendas havia.
    vender(&mut livro, 3);
    vender(&mut livro, 5_000);
    let (_outra, cortado) = como_depois_de_uma_queda(&caminho, &["", "-wal"]);
    let wal = File::options().write(true).open(format!("{}-wal", cortado.display())).unwrap();
    // As duas primeiras transações, de uma página cada uma: o ensaio da abertura e as três vendas.
    wal.set_len(32 + 2 * (24 + 4096)).unwrap();
    let erro = nao_abre(&cortado, None);
    assert!(erro.contains("vendas.db-wal") && erro.contains("inteiro"), "{erro}");
}

#[test]
fn uma_copia_pelo_sqlite_abre_com_o_servidor_aberto_ou_sem_o_wal() {
    let (pasta, caminho) = pasta();
    let mut livro = Livro::abrir(&caminho, Some(10)).unwrap();
    vender(&mut livro, 3);
    let copiar = |de: &Path, nome: &str| {
        let copia = pasta.path().join(nome);
        let outro = Connection::open(de).unwrap();
        outro.execute("VACUUM INTO ?1", [copia.to_str().unwrap()]).unwrap();
        copia
    };
    let aberto = copiar(&caminho, "aberto.db");
    assert_eq!(Livro::abrir(&aberto, None).unwrap().contas().vendidas, 3);
    // Quem perdeu o WAL de vez ainda pode ficar com o que sobrou, se quiser.
    let (_outra, sozinho) = como_depois_de_uma_queda(&caminho, &[""]);
    let sobrou = copiar(&sozinho, "sobrou.db");
    assert_eq!(Livro::abrir(&sobrou, None).unwrap().contas().vendidas, 0);
}

#[test]
fn quem_abre_depois_de_uma_queda_com_outro_programa_nao_faz_o_livro_ser_recusado() {
    let (_pasta, caminho) = pasta();
    let mut livro = Livro::abrir(&caminho, Some(10)).unwrap();
    vender(&mut livro, 3);
    let (_outra, caido) = como_depois_de_uma_queda(&caminho, &["", "-wal"]);
    // O SQLite, ao fechar a última conexão, passa o WAL para o arquivo e o apaga.
    let outro = Connection::open(&caido).unwrap();
    outro.query_row("SELECT count(*) FROM vendas", [], |linha| linha.get::<_, i64>(0)).unwrap();
    drop(outro);
    assert!(esta_so(&caido));
    assert_eq!(Livro::abrir(&caido, None).unwrap().contas().vendidas, 3);
}

#[test]
fn um_livro_trocado_enquanto_se_vende_faz_parar_e_o_wal_fica() {
    type Estrago = fn(&Path, &Path);
    let ao_lado =
        |caminho: &Path, sufixo: &str| PathBuf::from(format!("{}{sufixo}", caminho.display()));
    let estragos: [(&str, Estrago); 11] = [
        ("esvaziado", |livro, _| fs::write(livro, "").unwrap()),
        ("encurtado", |livro, _| {
            File::options().write(true).open(livro).unwrap().set_len(5000).unwrap();
        }),
        ("escrito por cima", |livro, outro| {
            fs::copy(outro, livro).unwrap();
        }),
        ("apagado", |livro, _| fs::remove_file(livro).unwrap()),
        ("mudado de nome", |livro, _| fs::rename(livro, livro.with_extension("velho")).unwrap()),
        ("trocado", |livro, outro| fs::rename(outro, livro).unwrap()),
        // Com o mesmo conteúdo, mas o que se escrever no outro ninguém vê.
        ("trocado por uma cópia", |livro, copia| {
            fs::copy(livro, copia).unwrap();
            fs::rename(copia, livro).unwrap();
        }),
        ("com o WAL trocado por uma cópia", |livro, copia| {
            let wal = format!("{}-wal", livro.display());
            fs::copy(&wal, copia).unwrap();
            fs::rename(copia, wal).unwrap();
        }),
        ("sem o WAL", |livro, _| fs::remove_file(format!("{}-wal", livro.display())).unwrap()),
        ("com o WAL vazio", |livro, _| {
            fs::write(format!("{}-wal", livro.display()), "").unwrap();
        }),
        ("sem o índice", |livro, _| fs::remove_file(format!("{}-shm", livro.display())).unwrap()),
    ];
    for (nome, estragar) in estragos {
        let (pasta, caminho) = pasta();
        // Outro livro, do mesmo tamanho que este tem em disco.
        let outro = pasta.path().join("outro.db");
        drop(Livro::abrir(&outro, Some(10)).unwrap());
        let mut livro = Livro::abrir(&caminho, Some(10)).unwrap();
        vender(&mut livro, 3);
        estragar(&caminho, &outro);
        println!("{nome}");
        let erro = nao_firma(&mut livro);
        assert!(erro.contains("foi trocado, encurtado ou apagado"), "{nome}: {erro}");
        drop(livro);
        let tinha_wal = !nome.ends_with("o WAL");
        assert_eq!(ao_lado(&caminho, "-wal").exists(), tinha_wal, "{nome}: mexeu no WAL");
    }
}

#[test]
fn fechar_um_livro_que_trocaram_tambem_e_um_erro() {
    let (_pasta, caminho) = pasta();
    let mut livro = Livro::abrir(&caminho, Some(10)).unwrap();
    vender(&mut livro, 3);
    fs::remove_file(&caminho).unwrap();
    let erro = livro.fechar().unwrap_err().to_string();
    assert!(erro.contains("foi trocado, encurtado ou apagado"), "{erro}");
}

#[test]
fn um_livro_novo_e_so_do_dono() {
    let (pasta, caminho) = pasta();
    let mut livro = Livro::abrir(&caminho, Some(10)).unwrap();
    vender(&mut livro, 1);
    let modos = fs::read_dir(pasta.path()).unwrap().map(|entrada| {
        let entrada = entrada.unwrap();
        (entrada.file_name(), entrada.metadata().unwrap().permissions().mode() & 0o777)
    });
    let modos: Vec<_> = modos.collect();
    assert_eq!(modos.len(), 3);
    assert!(modos.iter().all(|(_, modo)| *modo == 0o600), "{modos:?}");
}

/// Põe outro programa com a trava de escrita na mão, e o livro a vender; o outro faz `antes_de_soltar` um
/// pouco depois, e solta.
fn vender_contra(antes_de_soltar: &str) -> Result<(), String> {
    let (_pasta, caminho) = pasta();
    let mut livro = Livro::abrir(&caminho, Some(10)).unwrap();
    vender(&mut livro, 2);
    let outro = Connection::open(&caminho).unwrap();
    outro.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (dizer, comecou) = mpsc::channel();
    let vendendo = thread::spawn(move || {
        dizer.send(()).unwrap();
        let endereco = SocketAddr::from(([192, 0, 2, 1], 4000));
        livro.firmar([Venda { endereco, restante: 7 }]).map_err(|erro| erro.to_string())
    });
    comecou.recv().unwrap();
    // Tempo para que ela espere; se não chegar, o teste só vê menos.
    thread::sleep(Duration::from_millis(300));
    outro.execute_batch(antes_de_soltar).unwrap();
    vendendo.join().unwrap()
}

#[test]
fn a_venda_espera_um_pouco_por_quem_segura_a_escrita() {
    assert_eq!(vender_contra("ROLLBACK"), Ok(()));
}

#[test]
fn o_que_outro_escreve_enquanto_a_venda_espera_tambem_faz_parar() {
    let erro = vender_contra("DELETE FROM vendas WHERE numero = 1; COMMIT").unwrap_err();
    assert!(erro.contains("mudado por outro programa"), "{erro}");
}

#[test]
fn cada_turno_tem_a_hora_dele() {
    let (_pasta, caminho) = pasta();
    let mut livro = Livro::abrir(&caminho, Some(10)).unwrap();
    let milissegundos = || {
        let desde = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        desde.as_millis()
    };
    let mut horas = Vec::new();
    for _ in 0..3 {
        let antes = milissegundos();
        vender(&mut livro, 2);
        horas.push((antes, milissegundos()));
        // O relógio tem de andar entre um turno e outro.
        while milissegundos() == horas[horas.len() - 1].1 {}
    }
    drop(livro);
    let (csv, _) = extrato(&caminho, Forma::Csv);
    let mut planilha = csv::Reader::from_reader(csv.as_bytes());
    for (linha, venda) in planilha.records().zip(0..) {
        let instante = humantime::parse_rfc3339(&linha.unwrap()[1]).unwrap();
        let instante = instante.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
        let (antes, depois) = horas[venda / 2];
        assert!((antes..=depois).contains(&instante), "venda {venda}: {instante} {horas:?}");
    }
}

/// `LIVRO_VENDAS=10000000`, com `--release` e `--nocapture`, diz quanto demora um livro grande.
#[test]
fn abrir_um_livro_custa_o_mesmo_haja_quantas_reposicoes_houver() {
    static DITAS: AtomicU32 = AtomicU32::new(0);
    let vendas = std::env::var("LIVRO_VENDAS").map_or(60_000, |texto| texto.parse().unwrap());
    let [sem, com] = [0, 999].map(|reposicoes| {
        let (_pasta, caminho) = pasta();
        livro_grande(&caminho, vendas, reposicoes);
        let comeco = Instant::now();
        let livro = Livro::abrir_dizendo(&caminho, None, |andamento| {
            println!("{andamento:?}");
            DITAS.fetch_add(1, Ordering::Relaxed);
        });
        let (livro, demora) = (livro.unwrap(), comeco.elapsed());
        // A cada segundo, por mais ocupada que esteja a máquina.
        let ditas = DITAS.swap(0, Ordering::Relaxed);
        assert!(demora < Duration::from_secs(5) || ditas > 0, "{demora:?} sem dizer nada");
        println!("{vendas} vendas, {reposicoes} reposições: aberto em {demora:.2?}");
        assert_eq!(livro.contas().vendidas, vendas);
        assert_eq!(livro.contas().repostas, 5 * reposicoes);
        demora
    });
    // Lendo as reposições a cada venda, seriam umas cem vezes mais.
    assert!(com < sem * 10 + Duration::from_secs(1), "{com:?} com reposições, {sem:?} sem");
}
